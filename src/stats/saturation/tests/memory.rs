//! What follows no traffic on the old version: a footprint, a cache, garbage collection, and a slope of the candidate's own.

use super::*;

/// A service whose memory does not move with the traffic on the old version, at so many requests a second to a pod.
struct Memory {
    saturation: Saturation,
    random: Random,
    /// What the candidate's pods still hold of what they were asked.
    lagged: f64,
    seconds: f64,
}

impl Memory {
    fn new(seed: u64) -> Self {
        Self {
            saturation: Saturation::new(None),
            random: Random::new(seed),
            lagged: 0.0,
            seconds: 0.0,
        }
    }

    /// Readings of one step: `used` tells what a pod uses by the time since the start and the pace, of which `keeps`
    /// remains from one scrape to the next.
    fn step(&mut self, ticks: u32, weight: f64, keeps: f64, used: impl Fn(f64, f64) -> f64) {
        self.saturation.begin_step();
        for _ in 0..ticks {
            self.seconds += 15.0;
            let mut pace = |share: f64| self.random.poisson(50.0 * share * 15.0) as f64 / 15.0;
            let (mine, theirs) = (pace(weight / 100.0), pace(1.0 - weight / 100.0) / 4.0);
            self.lagged = keeps * self.lagged + (1.0 - keeps) * mine;
            let candidate = used(self.seconds, self.lagged) + 0.01 * self.random.normal();
            let baseline = 0.5 + 0.005 * self.random.normal();
            self.saturation.observe(
                Some(Load {
                    pace: mine,
                    used: candidate,
                }),
                Some(Load {
                    pace: theirs,
                    used: baseline,
                }),
            );
        }
    }

    fn outlook(&self, weight: f64, next: f64) -> Outlook {
        let ahead = Ahead {
            weight,
            next,
            pods: 1,
            next_pods: if next > weight * FAR { 2 } else { 1 },
            full_pods: 4,
            limit: limits::MEMORY,
        };
        self.saturation.outlook(&ahead).unwrap()
    }
}

/// How many of 200 releases the next step is refused to.
fn memory(play: impl Fn(&mut Memory) -> Outlook) -> usize {
    let no = |seed: &u64| play(&mut Memory::new(*seed)).fits == Fits::No;
    (0..200).filter(no).count()
}

#[test]
fn a_larger_footprint_is_no_slope() {
    for extra in [0.1, 0.15, 0.25] {
        for ticks in [4, 20, 240] {
            let held = memory(|it| {
                it.step(ticks, 10.0, 0.0, |_, _| 0.5 + extra);
                it.outlook(10.0, 25.0)
            });
            assert!(held <= 1, "{extra} after {ticks}: {held}");
        }
        let held = memory(|it| {
            it.step(20, 10.0, 0.0, |_, _| 0.5 + extra);
            it.step(20, 25.0, 0.0, |_, _| 0.5 + extra);
            it.outlook(25.0, 80.0)
        });
        assert!(held <= 1, "{extra} from 25 to 80: {held}");
    }
    let mut one = Memory::new(1);
    one.step(240, 10.0, 0.0, |_, _| 0.65);
    let outlook = one.outlook(10.0, 25.0);
    assert_eq!(outlook.fits, Fits::Warn, "{outlook:?}");
    assert!((outlook.forecast - 0.65).abs() < 0.01, "{outlook:?}");
    assert!(
        outlook.if_it_follows.is_some_and(|it| it > limits::MEMORY),
        "{outlook:?}"
    );
}

#[test]
fn a_cache_that_fills_holds_nobody_for_good() {
    for minutes in [1.0, 5.0, 15.0] {
        let fills = |seconds: f64, _: f64| 0.5 + 0.2 * (seconds / 60.0 / minutes).min(1.0);
        for ticks in [12, 24, 60] {
            let held = memory(|it| {
                it.step(ticks, 10.0, 0.0, fills);
                it.step(120, 25.0, 0.0, fills);
                it.outlook(25.0, 50.0)
            });
            assert!(held <= 2, "{minutes} min, {ticks}: {held}");
        }
    }
}

#[test]
fn teeth_of_garbage_collection_are_no_slope() {
    for period in [60.0, 300.0, 1800.0] {
        let teeth = |seconds: f64, _: f64| 0.45 + 0.25 * (seconds / period).fract();
        let held = memory(|it| {
            it.step(20, 10.0, 0.0, teeth);
            it.step(240, 25.0, 0.0, teeth);
            it.outlook(25.0, 50.0)
        });
        assert!(held <= 1, "{period} s: {held}");
    }
}

#[test]
fn a_memory_that_follows_the_traffic_is_refused_before_it_is_too_much() {
    // 0.33 at 10 %, 0.52 at 25 %, and 1.01 at two and a half times that; at once, or a minute or two later.
    for (keeps, seen) in [(0.0, 195), (0.5, 195), (0.85, 120)] {
        let used = |_: f64, pace: f64| 0.2 + 0.026 * pace;
        let held = memory(|it| {
            it.step(20, 10.0, keeps, used);
            it.step(20, 25.0, keeps, used);
            it.outlook(25.0, 62.5)
        });
        assert!(held >= seen, "keeps {keeps}: {held}");
        // The default ladder's last: 80 % on two pods.
        let held = memory(|it| {
            it.step(20, 10.0, keeps, |_, pace| 0.2 + 0.045 * pace);
            it.step(20, 25.0, keeps, |_, pace| 0.2 + 0.045 * pace);
            it.outlook(25.0, 80.0)
        });
        assert!(held >= seen, "25 to 80, keeps {keeps}: {held}");
    }
    // What answers at once shows it within the first step.
    let held = memory(|it| {
        it.step(20, 10.0, 0.0, |_, pace| 0.5 + 0.06 * pace);
        it.outlook(10.0, 25.0)
    });
    assert!(held >= 190, "{held}");
    // And what already is too much is refused, whatever it follows.
    let held = memory(|it| {
        it.step(20, 10.0, 0.0, |_, _| 0.87);
        it.outlook(10.0, 25.0)
    });
    assert_eq!(held, 200);
}
