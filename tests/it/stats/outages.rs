//! Outages of the whole service, of which thin traffic shows little in any one scrape.

use serin::stats::random::Random;
use serin::stats::{Background, Bursts, Counts, Evidence, Settings, Tick, Verdict};

/// Requests a second of the whole service, with 10 % on the candidate and scrapes of 15 s.
fn tick(random: &mut Random, per_second: f64, rate: (f64, f64)) -> Tick {
    let mut arm = |share: f64, rate: f64| {
        let requests = random.poisson(15.0 * per_second * share);
        Counts::new(requests, random.binomial(requests, rate))
    };
    Tick::new(arm(0.1, rate.0), arm(0.9, rate.1), 15.0)
}

fn evidence(known: bool) -> Evidence {
    let past = Background::new(known.then_some(0.001), 1.0, 1, 0.0);
    let past = past.with_bursts(if known { Bursts::None } else { Bursts::Unknown });
    let mut evidence = Evidence::new(Settings::default()).with_background(past);
    evidence.begin_step(10.0, 25.0, false);
    evidence
}

/// Releases of 200 that would grow in an outage of half an hour, after five healthy minutes, at this rate of both arms.
fn grow(known: bool, per_second: f64, outage: f64) -> usize {
    let grows = |seed: &u64| {
        let mut random = Random::new(*seed);
        let mut evidence = evidence(known);
        (0..20).for_each(|_| evidence.observe(tick(&mut random, per_second, (0.001, 0.001))));
        (0..120).any(|at| {
            evidence.observe(tick(&mut random, per_second, (outage, outage)));
            // At its very beginning nobody can tell it from a chance.
            at > 3 && evidence.verdict() == Verdict::Pass
        })
    };
    (0..200).filter(grows).count()
}

#[test]
fn no_weight_grows_in_an_outage_however_thin_the_traffic() {
    let mut told = String::new();
    let mut worst = 0;
    // One request a second does not tell in five minutes what is usual.
    for (known, least) in [(true, 1.0), (false, 2.0)] {
        for per_second in [1.0, 2.0, 5.0, 10.0, 50.0].into_iter().filter(|it| *it >= least) {
            for outage in [0.08, 0.3, 0.5] {
                let grown = grow(known, per_second, outage);
                worst = worst.max(grown);
                told += &format!("{known} {per_second} {outage}: {grown}\n");
            }
        }
    }
    assert!(worst <= 10, "{told}");
}
