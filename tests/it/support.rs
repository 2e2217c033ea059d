//! What several tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)] // a set-up that fails is a test that fails

pub(crate) mod cluster;
pub(crate) mod play;
pub(crate) mod random;
pub(crate) mod script;
pub(crate) mod source;
