//! Tests that need no cluster.
mod stats;
mod world;

mod rooms;
mod support;
mod api;
mod check;
mod examples;
