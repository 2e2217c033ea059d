//! Serin: progressive delivery for Kubernetes.

pub mod admin;
pub mod api;
pub mod cli;
pub mod cluster;
pub mod controller;
pub mod engine;
pub mod ports;
pub mod rehearsal;
pub mod render;
pub mod sources;
pub mod stats;
pub mod telemetry;
pub mod trials;
pub mod world;
