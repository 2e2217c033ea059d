//! Scenarios to which no constant of the judge was fitted: other rates, paces, onsets, bursts and clumps than the matrix
//! has.
//!
//! Every change to the judge is measured on these too, so that it does not learn the matrix by heart.

use super::scenario::{Burst, Extra, Scenario, row};

/// Bursts of 20 s about three times an hour, at any moment.
const SHORT: Burst = Burst {
    seconds: 20.0,
    size: 60.0,
    every: 1200.0,
};
/// Bursts of two minutes about twice an hour.
const LONG: Burst = Burst {
    seconds: 120.0,
    size: 200.0,
    every: 1800.0,
};
/// One burst of ten seconds in the candidate that the past has never shown.
const ONCE: Burst = Burst {
    seconds: 10.0,
    size: 30.0,
    every: 0.0,
};

/// The hold-out, good candidates first.
pub const HOLD_OUT: [Scenario; 34] = [
    row("G31", 20.0, 0.30, 0.30, Extra::None),
    row("G32", 10.0, 0.05, 0.05, Extra::None),
    row("G33", 200.0, 1e-6, 1e-6, Extra::None),
    row("G34", 5.0, 5e-4, 5e-4, Extra::None),
    row("G35", 500.0, 0.01, 0.01, Extra::None),
    row("G36", 1.0, 0.01, 0.01, Extra::None),
    row("G37", 50.0, 0.01, 0.005, Extra::None),
    row("G38", 50.0, 0.002, 0.002, Extra::Spikes),
    row("G39", 50.0, 0.02, 0.02, Extra::Falling),
    row("G40", 100.0, 0.003, 0.003, Extra::Waves),
    row("G41", 50.0, 0.001, 0.001, Extra::Burst(SHORT)),
    row("G42", 100.0, 0.001, 0.001, Extra::Burst(LONG)),
    row("G43", 50.0, 0.001, 0.001, Extra::Burst(ONCE)),
    row("G44", 100.0, 0.001, 0.001, Extra::ClumpsOf(5.0, 5.0)),
    row("G45", 50.0, 0.002, 0.001, Extra::ClumpsOf(2.0, 5.0)),
    row("G46", 50.0, 0.002, 0.002, Extra::SlowStart(0.03, 10.0)),
    row("B31", 20.0, 0.30, 0.50, Extra::None),
    row("B32", 10.0, 0.05, 0.10, Extra::None),
    row("B33", 200.0, 1e-6, 0.002, Extra::None),
    row("B34", 20.0, 0.002, 0.006, Extra::None),
    row("B35", 500.0, 0.01, 0.02, Extra::None),
    row("B36", 1.0, 0.01, 0.20, Extra::None),
    row("B37", 100.0, 0.001, 0.001, Extra::Late(24, 0.02)),
    row("B38", 50.0, 0.001, 0.001, Extra::Late(50, 0.05)),
    row("B39", 50.0, 0.002, 0.002, Extra::From(0.25, 0.05)),
    row("B40", 50.0, 0.002, 0.002, Extra::From(0.75, 0.03)),
    row("B41", 50.0, 0.001, 0.001, Extra::OnAndOff(0.02)),
    row("B42", 50.0, 0.002, 0.008, Extra::Spikes),
    row("B43", 50.0, 0.02, 0.06, Extra::Falling),
    row("B44", 100.0, 0.003, 0.009, Extra::Waves),
    row("B45", 50.0, 0.001, 0.01, Extra::Burst(SHORT)),
    row("B46", 100.0, 0.001, 0.008, Extra::Burst(LONG)),
    row("B47", 100.0, 0.001, 0.005, Extra::ClumpsOf(5.0, 5.0)),
    row("B48", 50.0, 0.002, 0.02, Extra::SlowStart(0.03, 10.0)),
];
