//! Serin: progressive delivery for Kubernetes.

pub mod ports;
