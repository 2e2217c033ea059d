//! Tests and functions that nothing in Serin decides by, built on the judge's own: where these agree with the vectors, so
//! does what they are built on.

pub(crate) mod digamma;
pub(crate) mod exact;
pub(crate) mod rank;
