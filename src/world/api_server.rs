//! The API server: what it stores, what it admits and refuses, and how it answers.

mod admission;
pub(super) mod apply;
mod defaults;
pub(super) mod delete;
mod discovery;
mod fields;
mod managers;
mod patch;
mod read;
pub(super) mod refusal;
pub(super) mod request;
pub(super) mod resources;
mod schema;
pub(super) mod selector;
pub(super) mod serve;
pub(super) mod store;
mod validate;
mod watch;
pub(super) mod write;
