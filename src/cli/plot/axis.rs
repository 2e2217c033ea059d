//! Axes: from values to places, and where their marks stand.

use std::fmt::Write as _;

/// A linear axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// The values at its ends.
    pub(super) values: [f64; 2],
    /// Their places in the picture.
    pub(super) places: [f64; 2],
}

impl Axis {
    /// Where a value stands; what lies beyond an end stands at it.
    pub(super) fn at(&self, value: f64) -> f64 {
        let [low, high] = self.values;
        self.beyond(value.clamp(low, high))
    }

    /// Where a value stands, be it beyond the ends, by the axis' length at most.
    pub(super) fn beyond(&self, value: f64) -> f64 {
        let [low, high] = self.values;
        let [from, to] = self.places;
        let share = ((value - low) / (high - low)).clamp(-1.0, 2.0);
        from + share * (to - from)
    }

    /// Round values between its ends, about `wanted` of them.
    pub(super) fn marks(&self, wanted: f64) -> Vec<f64> {
        let [low, high] = self.values;
        let step = round_step((high - low) / wanted, &[1.0, 2.0, 5.0, 10.0], 10.0);
        marks(low, high, step)
    }
}

/// The least of the round steps that is not below `rough`: a factor times a power of `base`.
fn round_step(rough: f64, factors: &[f64], base: f64) -> f64 {
    let power = base.powf(rough.max(1e-9).log(base).floor());
    let step = factors
        .iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * (1.0 - 1e-9));
    step.unwrap_or(power * base)
}

fn marks(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step + 1e-9).floor() - first).clamp(-1.0, 50.0) as i32;
    (0..=count)
        .map(|index| (first + f64::from(index)) * step)
        .collect()
}

/// Moments for marks, and how each is written: as a time of day (UTC) if the course has one, else as time since the
/// beginning.
pub(super) fn times(from: f64, to: f64, epoch: Option<f64>, wanted: f64) -> Vec<(f64, String)> {
    const STEPS: [f64; 15] = [
        1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0,
        86_400.0,
    ];
    let rough = (to - from) / wanted;
    let step = STEPS.iter().copied().find(|step| *step >= rough);
    let step = step.unwrap_or_else(|| round_step(rough / 86_400.0, &[1.0, 2.0, 5.0, 10.0], 10.0) * 86_400.0);
    let zero = epoch.unwrap_or(-from);
    let all = marks(from + zero, to + zero, step);
    all.into_iter()
        .map(|at| (at - zero, written(at, step, epoch.is_some())))
        .collect()
}

fn written(seconds: f64, step: f64, clock: bool) -> String {
    let whole = seconds.round() as i64;
    let (hours, minutes, rest) = (
        whole.div_euclid(3600),
        whole.div_euclid(60) % 60,
        whole.rem_euclid(60),
    );
    let mut text = String::new();
    let hours = if clock { hours.rem_euclid(24) } else { hours };
    let minutes = minutes.rem_euclid(60);
    let _ = match (clock, step < 60.0) {
        (true, false) => write!(text, "{hours:02}:{minutes:02}"),
        (true, true) => write!(text, "{hours:02}:{minutes:02}:{rest:02}"),
        (false, _) if hours > 0 => write!(text, "{hours}:{minutes:02}:{rest:02}"),
        (false, _) => write!(text, "{minutes}:{rest:02}"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(low: f64, high: f64) -> Axis {
        Axis {
            values: [low, high],
            places: [0.0, 100.0],
        }
    }

    #[test]
    fn marks_are_round_and_within() {
        assert_eq!(axis(0.0, 100.0).marks(4.0), [0.0, 50.0, 100.0]);
        assert_eq!(axis(-3.2, 5.1).marks(5.0), [-2.0, 0.0, 2.0, 4.0]);
        assert_eq!(axis(0.0, 0.04).marks(4.0), [0.0, 0.01, 0.02, 0.03, 0.04]);
        assert!((axis(-2.0, 8.0).at(3.0) - 50.0).abs() < 1e-9);
        assert!((axis(-2.0, 8.0).at(99.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn times_are_those_of_the_clock_or_since_the_beginning() {
        let shown = |all: Vec<(f64, String)>| all.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(
            shown(times(100.0, 700.0, None, 5.0)),
            ["0:00", "2:00", "4:00", "6:00", "8:00", "10:00"]
        );
        let noon = 1_790_942_400.0; // 2026-10-02 12:00 UTC
        assert_eq!(
            shown(times(0.0, 3600.0, Some(noon), 4.0)),
            ["12:00", "12:15", "12:30", "12:45", "13:00"]
        );
        assert_eq!(
            shown(times(0.0, 40.0, Some(noon), 3.0)),
            ["12:00:00", "12:00:15", "12:00:30"]
        );
        assert_eq!(
            shown(times(0.0, 7200.0, None, 2.0)),
            ["0:00", "1:00:00", "2:00:00"]
        );
        assert!(times(0.0, 1e9, None, 6.0).len() < 20);
    }
}
