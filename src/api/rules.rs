//! The rules that types, bounds and patterns cannot express.
