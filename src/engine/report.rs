//! From the committed state to what people read in the status.
