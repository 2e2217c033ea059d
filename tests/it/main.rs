//! Tests that need no cluster.
mod apply;
mod sources;

mod stats;
mod world;

mod api;
mod chart;
mod check;
mod docs;
mod examples;
mod properties;
mod rooms;
mod scenarios;
mod support;
