//! Tests that need no cluster.
mod world;
