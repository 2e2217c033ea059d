//! Serin: progressive delivery for Kubernetes.

pub mod api;
pub mod ports;
