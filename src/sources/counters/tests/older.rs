//! Lower values: resets, and samples that are merely older.

use super::*;

/// Steps of a quarter of a minute with ten requests each, from 1000 on.
fn settled() -> Counters {
    let mut counters = counters(false);
    for k in 0..40_u32 {
        let line = gateway("g1", 1000 + 10 * k);
        let reading = step(&mut counters, 15 * i64::from(k), &[&line], &[&line]);
        assert_eq!(counts(reading), [(if k == 0 { 0 } else { 10 }, 0); 2]);
    }
    counters
}

#[test]
fn an_older_sample_of_a_counter_is_no_reset() {
    let mut counters = settled();
    // Another server answers, whose last scrape is almost a minute older.
    for (at, value, expected) in [(600, 1355, 0), (615, 1365, 0), (630, 1395, 5), (645, 1405, 10)] {
        let line = gateway("g1", value);
        assert_eq!(
            counts(step(&mut counters, at, &[&line], &[&line])),
            [(expected, 0); 2],
            "at {at}"
        );
    }
    // One that begins again is seen at once all the same.
    let line = gateway("g1", 7);
    assert_eq!(counts(step(&mut counters, 660, &[&line], &[&line])), [(7, 0); 2]);
}

/// A pod began again a minute before the first look, and the server tells of it for six minutes.
#[test]
fn a_reset_before_the_first_look_makes_no_reset_of_an_older_sample() {
    let mut counters = counters(false);
    let mut sum = [(0, 0); 2];
    for (at, value) in [(0, 1_000), (15, 995), (30, 1_010)] {
        let samples = ArmSamples {
            total: vec![series(&gateway("g1", value), at)],
            resets: vec![series(&gateway("g1", 1), at)],
            ..ArmSamples::default()
        };
        let snapshot = Snapshot {
            candidate: samples.clone(),
            baseline: samples,
        };
        let seen = counts(counters.advance(second(at), &snapshot, false));
        sum = [0, 1].map(|arm| (sum[arm].0 + seen[arm].0, sum[arm].1 + seen[arm].1));
    }
    assert_eq!(sum, [(10, 0); 2]);
}

/// The trial has only begun, and nobody knows yet what the counter had before.
#[test]
fn an_older_sample_at_the_second_reading_is_no_reset() {
    let mut counters = counters(false);
    let [base, older, later] = [1_000_000, 999_950, 1_000_025].map(|value| gateway("g1", value));
    for (at, line, expected) in [(0, &base, 0), (15, &older, 0), (30, &later, 25), (45, &older, 0)] {
        let reading = step(&mut counters, at, &[line], &[line]);
        assert_eq!(counts(reading), [(expected, 0); 2], "at {at}");
    }
    let line = gateway("g1", 30);
    assert_eq!(counts(step(&mut counters, 60, &[&line], &[&line])), [(30, 0); 2]);
}

/// Two servers answer in turn, the second three readings behind: what an old gateway counts of the candidate, all of it
/// since the trial began, is counted once, and so is all else that it counts.
#[test]
fn older_samples_of_young_series_are_no_resets_where_their_gateway_goes_on() {
    let mut counters = counters(true);
    let (mut mine, mut beside) = ((0, 0), 0);
    for k in 0..20_u32 {
        let seen = if k % 2 == 0 { k } else { k.saturating_sub(3) };
        let bad = format!("{{instance=g1,code=500}} {}", seen / 2);
        let (good, base) = (gateway("g1", 10 * seen), gateway("g1", 1_000_000 + 90 * seen));
        let served = [good.as_str(), bad.as_str()];
        let candidate = if seen < 2 { &[] } else { &served[..] };
        // Until the candidate has served, there is nothing to be compared.
        if let Ok(reading) = step(&mut counters, 15 * i64::from(k), candidate, &[&base]) {
            mine.0 += reading.candidate.requests;
            mine.1 += reading.candidate.bad[0];
            beside += reading.baseline.requests;
        }
    }
    assert_eq!((mine, beside), ((189, 9), 90 * 18));
}

/// What starts with the process again and again, and never grows, does not say that it goes on.
#[test]
fn a_small_old_counter_does_not_hide_that_a_young_one_begins_again() {
    let mut counters = counters(false);
    let old = "{instance=c1,pod=c1,code=404} 1";
    let _ = step(&mut counters, 0, &[old], &BASE);
    for (at, value, expected) in [(15, 40, 40), (30, 27, 27), (45, 30, 3)] {
        let young = format!("{{instance=c1,pod=c1,code=200}} {value}");
        let reading = step(&mut counters, at, &[old, &young], &BASE);
        assert_eq!(counts(reading)[0], (expected, 0), "at {at}");
    }
}

#[test]
fn a_reset_that_looks_like_an_older_sample_is_not_taken_for_one_for_long() {
    let mut counters = settled();
    let mut sum = 0;
    // A hundred times as many requests as ever at once, and still fewer than it had.
    for k in 0..30_u32 {
        let line = gateway("g1", 1330 + k);
        let [(requests, _), _] = counts(step(&mut counters, 600 + 15 * i64::from(k), &[&line], &BASE));
        sum += requests;
    }
    assert_eq!(sum, 1359);
}

#[test]
fn what_shows_that_a_gateway_began_again_holds_for_all_that_it_counts() {
    let mut counters = counters(true);
    let base = |k: u32| gateway("g1", 1000 + 90 * k);
    for k in 0..40_u32 {
        let _ = step(&mut counters, 15 * i64::from(k), &[], &[&base(k)]);
    }
    // The candidate's first minute: its own series say nothing of how long the gateway has run.
    for (k, mine) in [(40, 20), (41, 30)] {
        let _ = step(
            &mut counters,
            15 * i64::from(k),
            &[&gateway("g1", mine)],
            &[&base(k)],
        );
    }
    let reading = step(
        &mut counters,
        15 * 42,
        &[&gateway("g1", 9)],
        &[&gateway("g1", 80)],
    );
    assert_eq!(counts(reading), [(9, 0), (80, 0)]);
}

/// A process that ends again and again lives too short for anybody to say what an older sample of it would be.
/// A candidate's pod that crashes each minute serves as much in each of its lives, and all of it counts.
#[test]
fn lives_of_a_young_pod_that_are_as_long_as_each_other_are_all_counted() {
    let mut counters = counters(true);
    let mut sum = 0;
    let _ = step(&mut counters, 0, &[], &BASE);
    for k in 1..40_u32 {
        let value = 10 * (1 + (k - 1) % 4);
        let line = format!("{{instance=c1,pod=c1,code=200}} {value}");
        let [(requests, _), _] = counts(step(&mut counters, 15 * i64::from(k), &[&line], &BASE));
        sum += requests;
    }
    assert_eq!(sum, 39 * 10);
}

#[test]
fn a_young_counter_that_falls_was_reset() {
    let mut counters = counters(false);
    let mut sum = 0;
    let _ = step(&mut counters, 0, &["{instance=c1,pod=c1,code=200} 10"], &BASE);
    for k in 1..60_u32 {
        let value = 10 + 10 * (k % 13);
        let line = format!("{{instance=c1,pod=c1,code=200}} {value}");
        let [(requests, _), _] = counts(step(&mut counters, 15 * i64::from(k), &[&line], &BASE));
        sum += requests;
    }
    assert_eq!(sum, 59 * 10);
}
