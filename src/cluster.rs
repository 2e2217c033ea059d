//! Everything that talks to the API server.
//!
//! Reads become a [`snapshot::Snapshot`], which is turned into an `Observation` without IO; effects are written
//! conditionally, by a client that never retries.

pub mod action_expiry;
pub mod apply;
pub mod cache;
pub mod client;
mod connection;
pub mod error;
pub mod events;
pub mod field_owners;
pub mod gate;
pub mod gather;
pub mod lease;
pub mod observe;
pub mod snapshot;
pub mod watches;
