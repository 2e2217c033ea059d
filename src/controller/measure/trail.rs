//! How the evidence grew: a moment for each look that brought something new, thinned out as they become many.

use crate::api::{MAX_TRAIL, Mark};

/// The moments of one release, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trail(Vec<Mark>);

impl Trail {
    /// What an earlier process had seen.
    pub(super) fn resume(marks: Vec<Mark>) -> Self {
        Self(marks)
    }

    pub(super) fn marks(&self) -> &[Mark] {
        &self.0
    }

    /// Adds a moment, if it is later than the last one.
    pub(super) fn add(&mut self, mark: Mark) {
        if self.0.last().is_some_and(|last| last.at >= mark.at) {
            return;
        }
        self.0.push(mark);
        if self.0.len() > MAX_TRAIL as usize {
            self.thin();
        }
    }

    /// Every second one goes, but for the first and the last of each weight.
    fn thin(&mut self) {
        let weight = |index: usize| self.0.get(index).map(|mark| (mark.step, mark.weight));
        let edge = |index: usize| {
            let before = index.checked_sub(1).and_then(weight);
            before != weight(index) || weight(index + 1) != weight(index)
        };
        let kept: Vec<bool> = (0..self.0.len())
            .map(|index| edge(index) || index % 2 == 0)
            .collect();
        let mut kept = kept.into_iter();
        self.0.retain(|_| kept.next().unwrap_or(true));
        // Twenty steps of two weights each leave nothing to thin out: then the oldest go.
        let over = self.0.len().saturating_sub(MAX_TRAIL as usize);
        self.0.drain(..over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn mark(second: i64, step: i32) -> Mark {
        Mark {
            at: Time(jiff::Timestamp::from_second(second).unwrap()),
            step,
            weight: 10 * step,
            against: 0.0,
            in_favour: 0.5,
            missing_seconds: None,
        }
    }

    #[test]
    fn a_long_release_keeps_its_turning_points() {
        let mut trail = Trail::default();
        for second in 0..10_000 {
            trail.add(mark(second, 1 + (second / 2_500) as i32));
        }
        let marks = trail.marks();
        assert!(
            marks.len() <= MAX_TRAIL as usize && marks.len() > 30,
            "{}",
            marks.len()
        );
        for (second, step) in [(0, 1), (2_499, 1), (2_500, 2), (7_500, 4), (9_999, 4)] {
            assert!(marks.contains(&mark(second, step)), "{second}");
        }
        let mut shortest = Trail::default();
        (0..200).for_each(|second| shortest.add(mark(second, second as i32 % 20)));
        assert_eq!(shortest.marks().len(), MAX_TRAIL as usize);
        shortest.add(mark(3, 1));
        assert_eq!(shortest.marks().last(), Some(&mark(199, 19)));
    }
}
