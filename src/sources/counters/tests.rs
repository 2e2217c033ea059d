use super::*;

/// A state for shares of bad requests.
fn counters(fresh: bool) -> Counters {
    Counters::new((Kind::Share, Kind::Share), fresh.then(|| second(0)))
}

/// One line of exposition format without its name: `{instance="g1",code="200"} 5`, at second `at`.
fn series(line: &str, at: i64) -> Sample {
    let (labels, value) = line.rsplit_once(' ').expect("value");
    let inner = labels.trim_matches(['{', '}']);
    let labels = inner.split(',').filter(|part| !part.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').expect("label");
        (name.to_owned(), value.trim_matches('"').to_owned())
    });
    Sample {
        labels: labels.collect(),
        value: value.parse().expect("number"),
        at: second(at),
    }
}

fn second(at: i64) -> Timestamp {
    Timestamp::from_second(at).expect("in range")
}

/// An arm whose bad requests are the series with a code of the 500s, as in every preset.
fn arm(lines: &[&str], at: i64) -> ArmSamples {
    let total: Vec<Sample> = lines.iter().map(|line| series(line, at)).collect();
    let is_bad = |sample: &&Sample| {
        sample
            .labels
            .get("code")
            .is_some_and(|code| code.starts_with('5'))
    };
    ArmSamples {
        bad: total.iter().filter(is_bad).cloned().collect(),
        total,
        ..ArmSamples::default()
    }
}

fn step(counters: &mut Counters, at: i64, candidate: &[&str], baseline: &[&str]) -> Result<Reading, NoData> {
    let snapshot = Snapshot {
        candidate: arm(candidate, at),
        baseline: arm(baseline, at),
    };
    counters.advance(second(at), &snapshot, false)
}

fn counts(reading: Result<Reading, NoData>) -> [(u64, u64); 2] {
    let reading = reading.expect("a reading");
    [reading.candidate, reading.baseline].map(|arm| (arm.requests, arm.bad[0]))
}

/// The requests of an old gateway at these counts.
fn gateway(name: &str, good: u32) -> String {
    format!("{{instance={name},code=200}} {good}")
}

/// An old gateway that knows the baseline for long.
const BASE: [&str; 2] = ["{instance=g1,code=200} 1000", "{instance=g1,code=500} 10"];

#[test]
fn the_first_evaluation_only_sets_the_base() {
    let mut counters = counters(false);
    let candidate = ["{instance=g1,code=200} 50"];
    assert_eq!(
        counts(step(&mut counters, 0, &candidate, &BASE)),
        [(0, 0), (0, 0)]
    );
    let candidate = ["{instance=g1,code=200} 57"];
    let baseline = ["{instance=g1,code=200} 1070", "{instance=g1,code=500} 11"];
    assert_eq!(
        counts(step(&mut counters, 1, &candidate, &baseline)),
        [(7, 0), (71, 1)]
    );
}

#[test]
fn a_candidate_whose_every_first_error_opens_a_series_on_ten_gateways_loses_none() {
    for fresh in [true, false] {
        let mut counters = counters(fresh);
        let baseline = |count: u32| -> Vec<String> {
            (0..10)
                .map(|g| format!("{{instance=g{g},code=200}} {}", 1000 * g + count))
                .collect()
        };
        let (mut sum, mut expected) = ((0, 0), (0, 0));
        // At evaluation k gateway k-1 serves its first ten requests to the candidate, three of them bad with a code of
        // their own: every single one opens a series.
        let mut candidate: Vec<String> = Vec::new();
        for k in 0..=10 {
            if k > 0 {
                let g = k - 1;
                candidate.push(format!("{{instance=g{g},code=200}} 7"));
                candidate.extend([500, 502, 503].map(|code| format!("{{instance=g{g},code={code}}} 1")));
                expected.0 += 10;
                expected.1 += 3;
            }
            let lines: Vec<&str> = candidate.iter().map(String::as_str).collect();
            let base = baseline(k * 100);
            let base: Vec<&str> = base.iter().map(String::as_str).collect();
            match step(&mut counters, k.into(), &lines, &base) {
                Ok(reading) => {
                    sum.0 += reading.candidate.requests;
                    sum.1 += reading.candidate.bad[0];
                    assert_eq!(reading.baseline.requests, 1000, "evaluation {k}");
                }
                Err(error) => assert_eq!((k, error), (0, NoData::Missing(ArmName::Candidate))),
            }
        }
        assert_eq!(sum, expected, "fresh: {fresh}");
    }
}

#[test]
fn a_fresh_candidate_counts_from_zero_wherever_it_appears() {
    let mut counters = counters(true);
    // Pods of its own, unknown as targets; the second one with requests in its very first scrape.
    let first = ["{instance=c1,pod=c1,code=200} 4"];
    assert_eq!(counts(step(&mut counters, 0, &first, &BASE)), [(0, 0), (0, 0)]);
    let second = [
        "{instance=c1,pod=c1,code=200} 9",
        "{instance=c2,pod=c2,code=500} 2",
    ];
    assert_eq!(counts(step(&mut counters, 1, &second, &BASE)), [(7, 2), (0, 0)]);
}

#[test]
fn an_unknown_target_counts_from_zero_only_if_its_process_is_new() {
    for (start, expected) in [(Some(50.0), (0, 0)), (Some(150.0), (30, 3)), (None, (0, 0))] {
        let mut counters = counters(false);
        let candidate = ["{instance=g1,code=200} 0"];
        counts(step(&mut counters, 100, &candidate, &BASE));
        let new = ["{pod=p2,code=200} 27", "{pod=p2,code=500} 3"];
        let mut lines = BASE.to_vec();
        lines.extend(new);
        let mut snapshot = Snapshot {
            candidate: arm(&candidate, 200),
            baseline: arm(&lines, 200),
        };
        assert!(counters.wants_starts(ArmName::Baseline, &snapshot.baseline.total));
        assert!(!counters.wants_starts(ArmName::Candidate, &snapshot.candidate.total));
        if let Some(start) = start {
            snapshot.baseline.starts = vec![series(&format!("{{pod=p2}} {start}"), 200)];
        }
        let reading = counts(counters.advance(second(200), &snapshot, false));
        assert_eq!(reading, [(0, 0), expected], "start {start:?}");
        // From here on it is known.
        let mut lines = BASE.to_vec();
        lines.extend(["{pod=p2,code=200} 28", "{pod=p2,code=500} 4"]);
        assert_eq!(counts(step(&mut counters, 300, &candidate, &lines))[1], (2, 1));
    }
}

#[test]
fn a_reset_counts_what_came_after_it() {
    let mut counters = counters(false);
    let at = |code_200: u32, code_500: u32| {
        [
            format!("{{pod=p,code=200}} {code_200}"),
            format!("{{pod=p,code=500}} {code_500}"),
        ]
    };
    let mut next = |time: i64, (good, bad): (u32, u32)| {
        let lines = at(good, bad);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        counts(step(&mut counters, time, &lines, &BASE))[0]
    };
    assert_eq!(next(0, (100, 10)), (0, 0));
    assert_eq!(next(1, (110, 11)), (11, 1));
    assert_eq!(next(2, (5, 2)), (7, 2));
    assert_eq!(next(3, (6, 2)), (1, 0));
}

#[test]
fn a_vanished_series_is_continued_where_it_returns() {
    let mut counters = counters(false);
    let both = ["{instance=g1,code=200} 10", "{instance=g2,code=200} 20"];
    counts(step(&mut counters, 0, &both, &BASE));
    assert_eq!(
        counts(step(&mut counters, 1, &["{instance=g1,code=200} 13"], &BASE))[0],
        (3, 0)
    );
    let back = ["{instance=g1,code=200} 14", "{instance=g2,code=200} 26"];
    assert_eq!(counts(step(&mut counters, 2, &back, &BASE))[0], (7, 0));
}

#[test]
fn a_first_error_behind_an_outage_of_its_target_is_not_lost() {
    let mut counters = counters(false);
    let both = ["{instance=g1,code=200} 10", "{instance=g2,code=200} 20"];
    counts(step(&mut counters, 0, &both, &BASE));
    counts(step(&mut counters, 1, &["{instance=g1,code=200} 10"], &BASE));
    let back = [
        "{instance=g1,code=200} 10",
        "{instance=g2,code=200} 20",
        "{instance=g2,code=503} 4",
    ];
    assert_eq!(counts(step(&mut counters, 2, &back, &BASE))[0], (4, 4));
}

/// What the candidate has counted where each arm is one pod that shows these requests and bad ones.
fn alike(counters: &mut Counters, at: i64, (total, bad): (f64, f64)) -> (u64, u64) {
    let sample = |value: f64| vec![series(&format!("{{pod=p}} {value}"), 0)];
    let arm = ArmSamples {
        total: sample(total),
        bad: sample(bad),
        ..ArmSamples::default()
    };
    let snapshot = Snapshot {
        candidate: arm.clone(),
        baseline: arm,
    };
    counts(counters.advance(second(at), &snapshot, false))[0]
}

#[test]
fn bad_never_exceeds_total_and_fractions_are_rounded() {
    let mut counters = counters(false);
    let mut next = |at, total, bad| alike(&mut counters, at, (total, bad));
    next(0, 0.0, 0.0);
    assert_eq!(next(1, 10.4, 3.6), (10, 4));
    assert_eq!(next(2, 12.4, 99.0), (2, 2));
}

#[test]
fn what_one_arm_serves_while_the_other_is_missing_is_kept_for_the_next_reading() {
    let mut counters = counters(false);
    let one = ["{instance=g1,code=200} 1"];
    counts(step(&mut counters, 0, &one, &BASE));
    let more = ["{instance=g1,code=200} 1100", "{instance=g1,code=500} 20"];
    assert_eq!(
        step(&mut counters, 1, &[], &more),
        Err(NoData::Missing(ArmName::Candidate))
    );
    let five = ["{instance=g1,code=200} 6"];
    assert_eq!(
        step(&mut counters, 2, &five, &[]),
        Err(NoData::Missing(ArmName::Baseline))
    );
    assert_eq!(counts(step(&mut counters, 3, &five, &more)), [(5, 0), (110, 10)]);
    assert_eq!(step(&mut counters, 3, &five, &more), Err(NoData::OutOfOrder));
    // With all traffic the candidate needs no baseline.
    let (candidate, baseline) = (arm(&["{instance=g1,code=200} 9"], 4), arm(&[], 4));
    let alone = counters.advance(second(4), &Snapshot { candidate, baseline }, true);
    assert_eq!(counts(alone), [(3, 0), (0, 0)]);
}

#[test]
fn a_baseline_waits_for_no_candidate_that_has_served_nothing() {
    let mut counters = counters(true);
    let _ = step(&mut counters, 0, &[], &BASE);
    let more = ["{instance=g1,code=200} 5000", "{instance=g1,code=500} 10"];
    assert_eq!(
        step(&mut counters, 1, &[], &more),
        Err(NoData::Missing(ArmName::Candidate))
    );
    let one = ["{instance=g1,code=500} 1"];
    assert_eq!(counts(step(&mut counters, 2, &one, &more)), [(1, 1), (0, 0)]);
}

/// What a liar makes of a good answer.
type Lie = (&'static str, fn(&mut Vec<Sample>));

const LIES: [Lie; 12] = [
    ("NaN", |samples| samples[0].value = f64::NAN),
    ("infinity", |samples| samples[0].value = f64::INFINITY),
    ("minus infinity", |samples| samples[0].value = f64::NEG_INFINITY),
    ("below zero", |samples| samples[0].value = -1.0),
    ("beyond exact integers", |samples| samples[0].value = 1e300),
    ("stale", |samples| samples[0].at = second(100 - 121)),
    ("from the future", |samples| samples[0].at = second(100 + 121)),
    ("twice the same series", |samples| {
        samples.push(samples[0].clone());
    }),
    ("two values of one series", |samples| {
        let mut other = samples[0].clone();
        other.value += 1.0;
        samples.push(other);
    }),
    ("a sum over pods", |samples| {
        samples[0]
            .labels
            .retain(|label, _| label != "instance" && label != "pod");
        samples[0].value = 1.0;
    }),
    ("too many series", |samples| {
        for n in 0..=MAX_SERIES {
            let mut other = samples[0].clone();
            other.labels.insert("path".into(), n.to_string());
            samples.push(other);
        }
    }),
    ("the end of time", |samples| samples[0].at = Timestamp::MAX),
];

#[test]
fn every_lie_is_told_and_loses_nothing() {
    for (name, lie) in LIES {
        for (arm_name, role) in [
            (ArmName::Candidate, Role::Total),
            (ArmName::Candidate, Role::Bad),
            (ArmName::Baseline, Role::Total),
            (ArmName::Baseline, Role::Bad),
        ] {
            let mut counters = counters(false);
            counts(step(&mut counters, 90, &BASE, &BASE));
            let honest = Snapshot {
                candidate: arm(&["{instance=g1,code=500} 15", "{instance=g1,code=200} 1000"], 100),
                baseline: arm(&["{instance=g1,code=500} 12", "{instance=g1,code=200} 1000"], 100),
            };
            let mut lying = honest.clone();
            let side = match arm_name {
                ArmName::Candidate => &mut lying.candidate,
                ArmName::Baseline => &mut lying.baseline,
            };
            lie(match role {
                Role::Bad => &mut side.bad,
                Role::Total | Role::Start | Role::Resets => &mut side.total,
            });
            let before = counters.clone();
            let error = counters.advance(second(100), &lying, false).expect_err(name);
            let told = error.to_string();
            assert!(
                told.contains(&arm_name.to_string()) && told.contains(&role.to_string()),
                "{told}"
            );
            assert_eq!(counters, before, "{name}");
            assert_eq!(
                counts(counters.advance(second(100), &honest, false)),
                [(5, 5), (2, 2)],
                "{name}"
            );
        }
    }
}

#[test]
fn the_order_of_samples_does_not_matter() {
    let values = [0.1, 0.2, 0.3, 1e15, 7.7];
    let at = |time: i64, factor: f64, reverse: bool| {
        let mut total: Vec<Sample> = values
            .iter()
            .enumerate()
            .map(|(n, value)| series(&format!("{{pod=p{n}}} {}", value * factor), time))
            .collect();
        if reverse {
            total.reverse();
        }
        let arm = ArmSamples {
            total,
            ..ArmSamples::default()
        };
        Snapshot {
            candidate: arm.clone(),
            baseline: arm,
        }
    };
    let run = |reverse: bool| {
        let mut counters = counters(false);
        let _ = counters.advance(second(0), &at(0, 1.0, false), false);
        let reading = counters.advance(second(1), &at(1, 1.7, reverse), false);
        (counters, reading)
    };
    assert_eq!(run(false), run(true));
}

mod bases;
mod histograms;
mod older;
