//! Metric sources: from a server of time series to integer increments of both arms, or the reason why there are none.
//!
//! Raw cumulative counters are read series by series at one time and differenced here: a server-side `rate` or
//! `increase` extrapolates and loses the first increment of a new series, which is the candidate's first error.
//! Whatever is absent, unreadable or contradictory is a [`NoData`] with its reason, never a zero.
//!
//! Nothing here has a clock: every evaluation time is an input, and the same samples give the same increments.

pub mod counters;
pub mod gauges;
pub mod history;
mod native;
pub mod preflight;
pub mod presets;
pub mod prometheus;
pub mod promql;
pub mod queries;
pub mod reader;
pub mod registry;

pub use counters::{ArmName, Kind, NoData, Reading, Role};
pub use history::Past;
pub use preflight::{Choice, Outlook, Preflight};
pub use presets::Preset;
pub use prometheus::{Address, Prometheus, Settings};
pub use promql::{Arm, pods_of_deployment, pods_of_replica_set};
pub use queries::{Queries, Tally};
pub use reader::{Grid, Point, Reader};
