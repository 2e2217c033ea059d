//! Outages of the whole service, of which thin traffic shows little in any one scrape.

use serin::stats::random::Random;
use serin::stats::{Background, Bursts, Counts, Evidence, Settings, Tick, Verdict};

/// A service and its release.
#[derive(Clone, Copy, Debug)]
struct Service {
    /// Its past is known.
    known: bool,
    /// Requests of all.
    per_second: f64,
    /// The candidate's share of them, in per cent.
    weight: f64,
}

/// A scrape after 15 s in which both arms have this error rate.
fn tick(random: &mut Random, service: Service, rate: f64) -> Tick {
    let mut arm = |share: f64| {
        let requests = random.poisson(15.0 * service.per_second * share);
        Counts::new(requests, random.binomial(requests, rate))
    };
    let share = service.weight / 100.0;
    Tick::new(arm(share), arm(1.0 - share), 15.0)
}

fn evidence(Service { known, weight, .. }: Service) -> Evidence {
    let past = Background::new(known.then_some(0.001), 1.0, 1, 0.0);
    let past = past.with_bursts(if known { Bursts::None } else { Bursts::Unknown });
    let mut evidence = Evidence::new(Settings::default()).with_background(past);
    evidence.begin_step(weight, weight + 15.0, false);
    evidence
}

/// Releases of 200 that would grow in an outage of half an hour, after five healthy minutes, at this rate of both arms.
fn grow(service: Service, outage: f64) -> usize {
    let grows = |seed: &u64| {
        let mut random = Random::new(*seed);
        let mut evidence = evidence(service);
        (0..20).for_each(|_| evidence.observe(tick(&mut random, service, 0.001)));
        (0..120).any(|at| {
            evidence.observe(tick(&mut random, service, outage));
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
    // One request a second does not tell in five minutes what is usual, nor do the few of a baseline beside a high weight.
    for (known, least, weights) in [(true, 1.0, &[10.0, 50.0, 80.0][..]), (false, 2.0, &[10.0])] {
        for per_second in [1.0, 2.0, 5.0, 10.0, 50.0].into_iter().filter(|it| *it >= least) {
            for (weight, outage) in weights
                .iter()
                .flat_map(|it| [0.08, 0.3, 0.5].map(|rate| (*it, rate)))
            {
                let service = Service {
                    known,
                    per_second,
                    weight,
                };
                let grown = grow(service, outage);
                worst = worst.max(grown);
                told += &format!("{service:?} {outage}: {grown}\n");
            }
        }
    }
    assert!(worst <= 12, "{told}");
}

#[test]
fn a_service_that_fails_more_than_usual_but_far_from_an_outage_is_not_held() {
    let service = Service {
        known: true,
        per_second: 50.0,
        weight: 10.0,
    };
    let grown = grow(service, 0.035);
    assert!(grown >= 196, "{grown}");
}
