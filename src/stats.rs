//! The judge's arithmetic: e-processes, intervals and forecasts. Numbers in, numbers out.
//!
//! Invariants: every evidence value is the logarithm of a non-negative supermartingale under its null
//! hypothesis, so it may be looked at after every scrape without raising the error rates; the same counts in the
//! same order give the same bits. This room knows neither clocks nor names nor Kubernetes and uses `std` only.

pub mod assessment;
pub mod background;
pub mod checkpoint;
pub mod counts;
pub mod evalue;
pub mod evidence;
pub mod forecast;
pub mod history;
pub mod interval;
pub mod joint;
pub mod latency;
pub mod leak;
pub mod panel;
pub mod process;
pub mod random;
pub mod saturation;
pub mod settings;
pub mod special;
pub mod traffic_share;
pub mod without_baseline;

pub use assessment::{
    Against, Amiss, Arms, Assessment, Evidenced, Missing, Ratio, Trouble, Verdict, Warming,
};
pub use background::{Background, Bursts};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use counts::{Counts, Tick};
pub use evidence::Evidence;
pub use joint::{Joint, Part, joint};
pub use panel::{Panel, Rule};
pub use settings::{Margin, Settings, SettingsError};
pub use without_baseline::Alone;
