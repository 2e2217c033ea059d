//! What several tests share.

pub(crate) mod cluster;
pub(crate) mod play;
pub(crate) mod random;
pub(crate) mod script;
pub(crate) mod source;
