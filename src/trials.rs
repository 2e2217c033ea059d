//! Simulated releases: the judge and its peers on the same traffic, seeded.
//!
//! Nothing here decides about a real release. It exists to measure the judge, in the benchmark and in rehearsals.

pub mod gauge;
pub mod holdout;
pub mod kayenta;
pub mod methods;
pub mod outcome;
pub mod rank;
pub mod scenario;
pub mod serin;
pub mod traffic;

pub use gauge::Gauge;
pub use holdout::HOLD_OUT;
pub use kayenta::Kayenta;
pub use methods::{Argo, Flagger, Method, Move, PooledZ};
pub use outcome::{Summary, run, summarize};
pub use scenario::{Conditions, MATRIX, Scenario};
pub use serin::{Ladder, Serin};
