//! The wanted Kubernetes objects and patches, computed from what was read. Pure.
//!
//! Invariants: objects stay JSON, so that nothing of the user's template is lost; every patch begins with the
//! `resourceVersion` that it was computed from; what Serin did not make is kept byte for byte. Nothing here knows a
//! client or a clock.

pub mod candidate;
pub mod gate;
pub(crate) mod json;
pub mod labels;
pub mod limits;
pub mod names;
pub mod patch;
pub mod revision;
pub mod route;
pub mod selector;
pub mod write_check;
