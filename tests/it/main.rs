//! Tests that need no cluster.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)] // helpers of tests are tests too

mod apply;
mod sources;

mod stats;
mod world;

mod api;
mod chart;
mod check;
mod connect;
mod demo;
mod docs;
mod examples;
mod explain;
mod judge;
mod operator;
mod properties;
mod rehearse;
mod rooms;
mod scenarios;
mod support;
