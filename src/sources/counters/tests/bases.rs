//! Where counts begin, and in which reading they are.

use super::*;

/// What it had served before its weight, in an earlier try of the step or of the release, is no evidence of this one.
#[test]
fn a_fresh_candidate_begins_where_its_counters_stood() {
    let mut counters = counters(true);
    let old = ["{instance=g1,code=200} 1500", "{instance=g1,code=500} 30"];
    assert_eq!(counts(step(&mut counters, 0, &old, &BASE)), [(0, 0), (0, 0)]);
    let now = [
        "{instance=g1,code=200} 1550",
        "{instance=g1,code=500} 31",
        "{instance=g1,code=503} 1",
    ];
    assert_eq!(counts(step(&mut counters, 1, &now, &BASE)), [(52, 2), (0, 0)]);
}

/// A gateway that is new in mid-step has served both, and how much of it before its first scrape is not known of either.
#[test]
fn a_new_gateway_sets_the_base_of_both_arms() {
    let mut counters = counters(true);
    counts(step(&mut counters, 0, &[&gateway("g1", 0)], &BASE));
    let at = |k: u32| {
        (
            [gateway("g1", 10 * k), gateway("g2", 500 + 10 * k)],
            [gateway("g1", 1000 + 90 * k), gateway("g2", 4500 + 90 * k)],
        )
    };
    for (k, expected) in [(1, [(10, 0), (90, 0)]), (2, [(20, 0), (180, 0)])] {
        let (mine, beside) = at(k);
        let (mine, beside) = (
            mine.each_ref().map(String::as_str),
            beside.each_ref().map(String::as_str),
        );
        assert_eq!(
            counts(step(&mut counters, i64::from(k), &mine, &beside)),
            expected
        );
    }
}

/// Where total and bad come from different jobs, an error may be seen after the request that it belongs to.
#[test]
fn errors_that_come_in_another_reading_than_their_requests_are_counted() {
    let mut counters = counters(false);
    let mut next = |at, total: u32, bad: u32| alike(&mut counters, at, (total.into(), bad.into()));
    next(0, 0, 0);
    assert_eq!(next(1, 100, 0), (100, 0));
    assert_eq!(next(2, 100, 50), (0, 0));
    assert_eq!(next(3, 100, 50), (0, 0));
    assert_eq!(next(4, 200, 50), (100, 50));
    // The other way round, and in parts.
    assert_eq!(next(5, 210, 80), (10, 10));
    assert_eq!(next(6, 300, 80), (90, 20));
    // A query that counts more bad requests than there are saves up no debt.
    assert_eq!(next(7, 310, 200), (10, 10));
    assert_eq!(next(8, 320, 200), (10, 10));
    assert_eq!(next(9, 330, 200), (10, 0));
}
