//! Tests that need no cluster.
mod world;

mod rooms;
mod support;
