mod follows;
mod idle;
mod line;
mod memory;
mod values;

use super::*;
use crate::stats::random::Random;

/// Readings whose pace and use vary, but not alike.
#[derive(Clone, Copy)]
struct Run {
    readings: usize,
    pace: f64,
    /// Use without requests, and with each request a second more.
    line: (f64, f64),
    /// By how much the pace varies, how noisy the use is, and what each reading adds to it.
    wobble: f64,
    noise: f64,
    drift: f64,
}

const fn run(readings: usize, pace: f64, line: (f64, f64)) -> Run {
    Run {
        readings,
        pace,
        line,
        wobble: 1.0,
        noise: 1.0,
        drift: 0.0,
    }
}

impl Run {
    fn loads(self) -> Vec<Option<Load>> {
        let load = |i: usize| {
            let wobble = [0.0, 1.0, -1.5, 2.0, -0.5, 1.5, -2.0][i % 7];
            let noise = [0.004, -0.003, 0.001, -0.005, 0.003][i % 5];
            let pace = self.pace + self.wobble * wobble;
            let used = self.line.0 + self.line.1 * pace + self.noise * noise + self.drift * i as f64;
            Some(Load { pace, used })
        };
        (0..self.readings).map(load).collect()
    }
}

fn near(got: f64, want: f64, what: &str) {
    assert!(
        (got - want).abs() <= 1e-9 * want.abs(),
        "{what}: {got:?}, not {want:?}"
    );
}

/// A service of two candidate pods, looked at for five minutes: what its pods use at the next step is `next`.
#[derive(Clone, Copy)]
struct Service {
    /// Requests a second to the whole service.
    pace: f64,
    /// Use without requests, and of each candidate pod at the next step.
    idle: f64,
    next: f64,
    /// Standard deviation of a reading, and how much neighbours are alike.
    noise: f64,
    alike: f64,
    ticks: u32,
    /// The idle use is told; otherwise it is read off the baseline.
    told: bool,
}

const USUAL: Service = Service {
    pace: 100.0,
    idle: 0.05,
    next: 0.5,
    noise: 0.03,
    alike: 0.5,
    ticks: 20,
    told: true,
};

const AHEAD: Ahead = Ahead {
    weight: 10.0,
    next: 25.0,
    pods: 2,
    next_pods: 2,
    full_pods: 8,
    limit: limits::CPU,
};

struct Noise(f64, f64, f64);

impl Noise {
    fn next(&mut self, random: &mut Random) -> f64 {
        let Self(value, scale, alike) = self;
        *value = *alike * *value + (1.0 - *alike * *alike).sqrt() * *scale * random.normal();
        *value
    }
}

fn play(it: &Service, seed: u64) -> Saturation {
    let mut random = Random::new(seed);
    let mut saturation = Saturation::new(it.told.then_some(it.idle));
    let pods = 2.0;
    let slope = (it.next - it.idle) / (it.pace * AHEAD.next / 100.0 / pods);
    let mut noises = [Noise(0.0, it.noise, it.alike), Noise(0.0, it.noise, it.alike)];
    for noise in &mut noises {
        noise.0 = noise.1 * random.normal();
    }
    // A day's traffic in miniature: it swings by a fifth within the hour that the baseline is known for.
    for tick in 0..(240 + it.ticks) {
        let swing = 1.0 + 0.2 * ((f64::from(tick) - 240.0 - f64::from(it.ticks) / 2.0) / 30.0).sin();
        let mut arm = |share: f64, pods: f64, noise: &mut Noise| {
            let requests = random.poisson(it.pace * swing * share * 15.0) as f64;
            let pace = requests / 15.0 / pods;
            let used = it.idle + slope * pace + noise.next(&mut random);
            Some(Load { pace, used })
        };
        let [mine, theirs] = &mut noises;
        let baseline = arm(0.9, 8.0, theirs);
        let candidate = (tick >= 240).then(|| arm(0.1, pods, mine)).flatten();
        saturation.observe(candidate, baseline);
    }
    saturation
}

/// In how many per cent of `runs` the next step is refused.
fn refused(it: &Service, runs: u64) -> f64 {
    let no = |seed: &u64| {
        play(it, *seed)
            .outlook(&AHEAD)
            .is_some_and(|o| o.fits == Fits::No)
    };
    100.0 * (0..runs).filter(no).count() as f64 / runs as f64
}

#[test]
fn a_service_that_fits_goes_on_and_one_that_does_not_is_stopped() {
    for told in [true, false] {
        for alike in [0.0, 0.5, 0.8] {
            for (next, low, high) in [(0.5, 0.0, 0.5), (0.8, 90.0, 100.0), (1.05, 99.0, 100.0)] {
                // An idle use that is read off noisy neighbours is too vague to refuse what is just over the limit.
                let low = if told || alike < 0.8 { low } else { low / 2.0 };
                let it = Service {
                    next,
                    alike,
                    told,
                    ..USUAL
                };
                let share = refused(&it, 400);
                assert!(
                    (low..=high).contains(&share),
                    "told {told}, alike {alike}, {next}: {share} %"
                );
            }
        }
    }
}

/// Exact readings: so many requests a second to each of two candidate pods and of four others.
fn exact(line: fn(f64) -> f64, paces: &[f64]) -> Saturation {
    let mut saturation = Saturation::new(None);
    for pace in paces {
        let load = |pace: f64| {
            Some(Load {
                pace,
                used: line(pace),
            })
        };
        saturation.observe(load(*pace), load(3.0 * pace));
    }
    saturation
}

const PACES: [f64; 8] = [10.0, 11.0, 9.0, 10.0, 10.5, 9.5, 10.0, 10.0];

#[test]
fn the_forecast_is_the_line_carried_forward() {
    let saturation = exact(|pace| 0.1 + 0.02 * pace, &PACES);
    let outlook = saturation.outlook(&AHEAD).unwrap();
    assert!((outlook.used - 0.3).abs() < 1e-9, "{outlook:?}");
    assert!((outlook.forecast - 0.6).abs() < 1e-6, "{outlook:?}");
    // 2 pods × 10 requests a second × 10 = 200 a second on 8 pods.
    assert!((outlook.full - 0.6).abs() < 1e-6, "{outlook:?}");
    assert!((0.6..0.65).contains(&outlook.upper), "{outlook:?}");
    assert_eq!((outlook.fits, outlook.pods), (Fits::Yes, Some(2)));
    // As many pods more as the weight grows by: each uses what it uses now.
    let scaled = Ahead {
        next_pods: 5,
        ..AHEAD
    };
    assert!((saturation.outlook(&scaled).unwrap().forecast - 0.3).abs() < 1e-6);
}

#[test]
fn what_does_not_fit_says_how_many_pods_would() {
    let saturation = exact(|pace| 0.05 + 0.03 * pace, &PACES);
    let no = saturation.outlook(&AHEAD).unwrap();
    assert_eq!((no.fits, no.pods), (Fits::No, Some(3)));
    let enough = Ahead {
        next_pods: 3,
        ..AHEAD
    };
    assert_eq!(saturation.outlook(&enough).unwrap().fits, Fits::Yes);
    // Further than one step nothing is refused, and at 100 % nothing but warned of.
    let far = Ahead { next: 26.0, ..AHEAD };
    assert_eq!(saturation.outlook(&far).unwrap().fits, Fits::Warn);
    // What counts is what a pod is asked: the default ladder's leap to 80 %, with the pods that come along, is near.
    let leap = Ahead {
        weight: 25.0,
        next: 80.0,
        pods: 1,
        next_pods: 2,
        full_pods: 2,
        ..AHEAD
    };
    let steep = exact(|pace| 0.05 + 0.05 * pace, &PACES);
    let leaped = steep.outlook(&leap).unwrap();
    assert_eq!((leaped.fits, leaped.pods), (Fits::No, Some(3)), "{leaped:?}");
    let few = Ahead {
        full_pods: 4,
        ..enough
    };
    assert_eq!(saturation.outlook(&few).unwrap().fits, Fits::Warn);
    // Where pods are above the limit without a request no number of them suffices.
    let idle = exact(|pace| 0.9 + 0.001 * pace, &PACES);
    let none = idle.outlook(&AHEAD).unwrap();
    assert_eq!((none.fits, none.pods), (Fits::No, None));
}

#[test]
fn a_vague_idle_use_moves_the_bound_no_further_than_a_line_through_zero() {
    // Noisy candidates; the neighbours' pace never changes, or it does and they are noisy too.
    let noisy = |paces: [f64; 8]| {
        let mut saturation = Saturation::new(None).following();
        for (tick, pace) in paces.into_iter().enumerate() {
            let noise = if tick % 3 == 0 { 0.02 } else { -0.01 };
            let theirs = [0.03, -0.03, -0.03, 0.03, 0.03, -0.03, 0.03, 0.03][tick];
            let load = |pace, used| Some(Load { pace, used });
            saturation.observe(load(10.0, 0.2 + noise), load(pace, 0.05 + 0.015 * pace + theirs));
        }
        saturation
    };
    let margin = |it: &Saturation| {
        let idle = it.idle().0;
        quantile(QUANTILE, 7.0) * it.candidate.through(idle).unwrap().error
    };
    // Two and a half times the pace.
    let vague = noisy([10.0; 8]);
    let upper = vague.outlook(&AHEAD).unwrap().upper;
    let steepest = vague.candidate.through(0.0).unwrap().slope;
    assert!(margin(&vague) > 1e-4);
    assert!(
        (upper - 25.0 * (steepest + margin(&vague))).abs() < 1e-9,
        "{upper}"
    );
    let known = noisy([10.0, 14.0, 6.0, 12.0, 8.0, 10.0, 13.0, 7.0]);
    assert!(known.idle().0 > 0.01 && known.idle().1 > 0.001);
    let outlook = known.outlook(&AHEAD).unwrap();
    let steepest = known.candidate.through(0.0).unwrap().slope;
    assert!(steepest > outlook.forecast / 25.0 + 1e-3, "{outlook:?}");
    assert!(
        (outlook.upper - 25.0 * (steepest + margin(&known))).abs() < 1e-9,
        "{outlook:?}"
    );
    // Half of it: the forecast lies above that line, and the bound beyond the forecast.
    let scaled = Ahead {
        next_pods: 10,
        ..AHEAD
    };
    let outlook = known.outlook(&scaled).unwrap();
    assert!(known.idle().0 > 0.01 && known.idle().1 > 0.001);
    assert!(
        (outlook.upper - outlook.forecast - 5.0 * margin(&known)).abs() < 1e-9,
        "{outlook:?}"
    );
}

#[test]
fn silence_is_no_forecast() {
    let mut saturation = exact(|pace| 0.1 + 0.02 * pace, &PACES);
    assert_eq!(saturation.readings(), 8);
    saturation.begin_step();
    assert_eq!(saturation.outlook(&AHEAD), None);
    let load = |pace| {
        Some(Load {
            pace,
            used: 0.1 + 0.02 * pace,
        })
    };
    for _ in 1..NEEDED {
        saturation.observe(load(25.0), load(25.0));
        saturation.observe(None, load(25.0));
        saturation.observe(load(f64::NAN), None);
    }
    assert_eq!(saturation.outlook(&AHEAD), None);
    saturation.observe(load(25.0), None);
    assert!(saturation.outlook(&AHEAD).is_some());
    let mut idle = Saturation::default();
    (0..9).for_each(|_| idle.observe(load(0.0), load(0.0)));
    assert_eq!((idle.outlook(&AHEAD), idle.cost()), (None, None));
    assert_eq!(Saturation::default().outlook(&AHEAD), None);
}

/// In how many per cent of runs a request that costs `factor` times as much is said to cost more, and in how many the
/// interval holds the truth.
fn costly(factor: f64) -> (f64, f64) {
    let (mut warned, mut held) = (0, 0);
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let mut saturation = Saturation::new(Some(0.05));
        let mut noises = [Noise(0.0, 0.02, 0.5), Noise(0.0, 0.02, 0.5)];
        for _ in 0..40 {
            let mut load = |factor: f64, noise: &mut Noise| {
                let pace = random.poisson(150.0) as f64 / 15.0;
                Some(Load {
                    pace,
                    used: 0.05 + 0.02 * factor * pace + noise.next(&mut random),
                })
            };
            let [mine, theirs] = &mut noises;
            saturation.observe(load(factor, mine), load(1.0, theirs));
        }
        let cost = saturation.cost().unwrap();
        warned += u32::from(cost.is_high());
        held += u32::from((cost.low..=cost.high).contains(&factor));
    }
    (f64::from(warned) / 5.0, f64::from(held) / 5.0)
}

#[test]
fn a_request_that_costs_more_is_seen_and_one_that_does_not_is_not() {
    for (factor, low, high) in [(1.0, 0.0, 0.5), (1.1, 0.0, 1.0), (1.6, 99.0, 100.0)] {
        let (warned, held) = costly(factor);
        assert!((low..=high).contains(&warned), "{factor}: {warned} %");
        assert!((91.0..=99.0).contains(&held), "{factor}: {held} %");
    }
}

#[test]
fn equal_arms_know_what_a_request_costs_as_well_as_twice_the_readings_of_one() {
    let mut saturation = Saturation::new(Some(0.05));
    for used in [0.21, 0.26, 0.24, 0.27, 0.22, 0.25] {
        let load = Some(Load { pace: 10.0, used });
        saturation.observe(load, load);
    }
    let fit = saturation.candidate.through(0.05).unwrap();
    let reach = quantile(BOTH_SIDES, 2.0 * (fit.readings - 1.0)) * (2.0_f64).sqrt() * fit.error / fit.slope;
    let cost = saturation.cost().unwrap();
    assert!(
        (cost.ratio - 1.0).abs() < 1e-12 && reach > 0.05,
        "{cost:?} {reach}"
    );
    assert!((cost.high.ln() - reach).abs() < 1e-9, "{cost:?} {reach}");
    assert!((cost.low.ln() + reach).abs() < 1e-9, "{cost:?} {reach}");
}

#[test]
fn a_restart_changes_nothing() {
    let mut one = play(&USUAL, 7);
    let kept = one.checkpoint();
    assert!(kept.len() * 8 <= 1024, "{}", kept.len());
    let mut two = Saturation::resume(&kept).unwrap();
    for saturation in [&mut one, &mut two] {
        saturation.observe(Some(Load { pace: 8.0, used: 0.3 }), None);
    }
    assert_eq!(one, two);
    assert_eq!(one.outlook(&AHEAD), two.outlook(&AHEAD));
    assert_eq!(Saturation::resume(&kept[1..]), None);
    assert_eq!(Saturation::resume(&vec![f64::NAN; kept.len()]), None);
}
