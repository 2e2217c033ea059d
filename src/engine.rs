//! The brain of Serin: pure, total and deterministic.
//!
//! ```text
//! observe ─▶ Observation ─▶ decide(plan, state, observation, now) ─▶ Decision{next, effects, wake, notes}
//! ```
//!
//! Nothing here reads a clock, knows a client, or can fail. What is uncertain is a value of [`observation`];
//! what is to be done is a value of [`effect`]. The shell commits `next` before it applies the effects, and the
//! effects follow from the committed state and the observation alone, so a crash between any two calls is
//! repaired by deciding again.

pub mod decide;
pub mod effect;
pub mod gauge;
pub mod invariants;
pub mod judge;
pub mod observation;
pub mod plan;
pub mod quantity;
pub mod reason;
pub mod report;
pub mod state;
pub mod words;

pub use decide::{Decision, decide};
pub use effect::Effect;
pub use invariants::{Breach, check};
pub use observation::Observation;
pub use plan::Plan;
pub use quantity::{Moment, Revision, Weight};
pub use state::State;
