use super::*;

/// The cumulative buckets of a pod: how many took at most each edge.
fn histogram(pod: &str, at: i64, buckets: &[(&str, u32)]) -> Vec<Sample> {
    let line = |(edge, count): &(&str, u32)| series(&format!("{{pod={pod},le={edge}}} {count}"), at);
    buckets.iter().map(line).collect()
}

#[test]
fn a_histogram_is_counted_at_its_edges_however_they_are_written() {
    let edges = vec![0.25, 1.0];
    let mut counters = Counters::new((Kind::Histogram(edges.clone()), Kind::Histogram(edges)), None);
    let mut next = |at: i64, mine: &[(&str, u32)], theirs: &[(&str, u32)]| {
        let arm = |buckets| ArmSamples {
            total: histogram("p", at, buckets),
            ..ArmSamples::default()
        };
        let snapshot = Snapshot {
            candidate: arm(mine),
            baseline: arm(theirs),
        };
        counters.advance(second(at), &snapshot, false)
    };
    let plain = [("0.25", 10), ("0.5", 12), ("1", 15), ("+Inf", 20)];
    assert!(next(0, &plain, &plain).is_ok());
    let later = [("0.25", 13), ("0.5", 20), ("1.0", 24), ("+Inf", 30)];
    let reading = next(1, &later, &plain).expect("a reading");
    assert_eq!(
        (reading.candidate.requests, reading.candidate.bad),
        (10, vec![7, 1])
    );
    assert_eq!(reading.baseline.bad, [0, 0]);
    // A version with other buckets cannot be compared, and nothing is lost by trying.
    let other = [("0.3", 14), ("1", 25), ("+Inf", 31)];
    let error = next(2, &other, &plain).expect_err("no such bucket");
    assert!(
        error
            .to_string()
            .contains("the candidate's histogram has no bucket that ends at 0.25")
    );
    let back = next(3, &[("0.25", 14), ("1", 25), ("+Inf", 31)], &plain).expect("a reading");
    assert_eq!((back.candidate.requests, back.candidate.bad), (1, vec![0, 0]));
}

#[test]
fn a_histogram_begins_again_with_all_its_buckets() {
    let edges = vec![0.25];
    let mut counters = Counters::new((Kind::Histogram(edges.clone()), Kind::Histogram(edges)), None);
    let mut next = |at: i64, mine: &[(&str, u32)]| {
        let arm = ArmSamples {
            total: histogram("p", at, mine),
            ..ArmSamples::default()
        };
        let snapshot = Snapshot {
            candidate: arm.clone(),
            baseline: arm,
        };
        counters
            .advance(second(at), &snapshot, false)
            .expect("a reading")
            .candidate
    };
    next(0, &[("0.25", 80), ("+Inf", 100)]);
    // A restart, and more requests than before: only the bucket shows it. 30 of 150 were fast.
    let reading = next(1, &[("0.25", 30), ("+Inf", 150)]);
    assert_eq!((reading.requests, reading.bad), (150, vec![120]));
    let reading = next(2, &[("0.25", 31), ("+Inf", 152)]);
    assert_eq!((reading.requests, reading.bad), (2, vec![1]));
}

/// A gateway counts the candidate anew and goes on with the baseline: the server has seen one bucket fall, and that holds
/// for all of that histogram. Another of the same gateway, whose fall it has not seen, goes on.
#[test]
fn a_histogram_that_begins_again_in_a_gateway_that_goes_on_is_counted_in_full() {
    let edges = vec![0.25];
    let kinds = (Kind::Histogram(edges.clone()), Kind::Histogram(edges));
    let mut counters = Counters::new(kinds, Some(second(0)));
    let port = |port: u32, (within, all): (u32, u32)| {
        [("0.25", within), ("+Inf", all)]
            .map(|(le, count)| series(&format!("{{instance=g1,port={port},le={le}}} {count}"), 0))
    };
    let mut next = |at: i64, mine: [(u32, u32); 2], falls: u32| {
        let [first, other] = mine;
        let mut candidate = ArmSamples {
            total: [port(80, first), port(81, other)].concat(),
            ..ArmSamples::default()
        };
        let baseline = ArmSamples {
            total: port(82, (900_000, 1_000_000)).to_vec(),
            ..ArmSamples::default()
        };
        let asked = counters.wants_resets(ArmName::Candidate, second(at), &candidate);
        let baseline_asked = counters.wants_resets(ArmName::Baseline, second(at), &baseline);
        assert_eq!(baseline_asked, at == 0);
        candidate.resets = [port(80, (falls, falls)), port(81, (0, 0))].concat();
        let snapshot = Snapshot { candidate, baseline };
        let reading = counters.advance(second(at), &snapshot, false).expect("a reading");
        (asked, reading.candidate.requests, reading.candidate.bad[0])
    };
    next(0, [(0, 0), (0, 0)], 0);
    assert_eq!(next(15, [(80, 100), (8, 10)], 0), (false, 110, 22));
    assert_eq!(next(30, [(60, 110), (9, 11)], 1), (true, 111, 50));
    // It is not told twice, though the server still remembers it.
    assert_eq!(next(45, [(61, 112), (9, 11)], 1), (false, 2, 1));
}
