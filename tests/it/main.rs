//! Tests that need no cluster.
mod stats;
mod world;

mod rooms;
mod support;
