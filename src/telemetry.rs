//! What the operator says about itself: JSON logs and Prometheus metrics.
//!
//! Invariants: nothing here is global but the log subscriber; every label has a bounded set of values, or goes away
//! with its Rollout; no text of a metric server or of a Secret is ever a label.

pub mod logs;
pub mod metrics;
pub mod ready;

pub use logs::{Format, LogError};
pub use metrics::{Metrics, RolloutKey};
pub use ready::{Gate, Readiness};
