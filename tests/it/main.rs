//! Tests that need no cluster.
mod sources;
#![allow(clippy::unwrap_used, clippy::panic)] // a set-up that fails is a test that fails

mod stats;
mod world;

mod api;
mod chart;
mod check;
mod examples;
mod properties;
mod rooms;
mod scenarios;
mod support;
