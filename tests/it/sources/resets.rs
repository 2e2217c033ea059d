//! Counters of a gateway that begin again at 0 for one backend, in the same process: where the server has seen a counter
//! fall, it was reset, and where it has not, an older sample has answered.

use std::time::Duration;

use jiff::Timestamp;
use serin::ports::{Increment, SourceError};
use serin::sources::{Arm, Grid, NoData, Point, Queries, Reader};

use super::script::{Script, codes, second};

const RESETS: &str = "resets(new_total[360s])";

fn arm(service: &str) -> Arm {
    Arm {
        namespace: "shop".into(),
        service: service.into(),
        ports: vec![80],
        pods: service.into(),
        edges: Vec::new(),
    }
}

fn reader(routed: bool) -> Reader {
    let grid = Grid::new(second(0), Duration::from_secs(10), Duration::ZERO);
    let queries = Queries {
        routed,
        ..Queries::custom("{{service}}_total", "{{service}}_bad")
    };
    Reader::new(&queries, &arm("new"), &arm("old"), grid, true).expect("renders")
}

/// One gateway: what it shows of a candidate (good and bad requests), evaluation by evaluation, whose series open after
/// the first one, beside an old baseline that goes on.
fn script(candidate: &[(u32, u32)]) -> Script {
    let mut script = Script::default();
    for (k, (good, bad)) in (0_u32..).zip(candidate) {
        let at = 10 * i64::from(k);
        if k > 0 {
            script.put("new_total", at, Ok(codes(at, &[(200, *good), (500, *bad)])));
            script.put("new_bad", at, Ok(codes(at, &[(500, *bad)])));
        }
        script.put("old_total", at, Ok(codes(at, &[(200, 1_000_000 + 900 * k)])));
    }
    script
}

/// Requests and bad ones of the candidate, evaluation by evaluation.
fn counted(points: &[Point]) -> Vec<(u64, u64)> {
    let counts = |increment: &Increment| (increment.requests, increment.bad[0]);
    let readings = points.iter().filter_map(|point| point.outcome.as_ref().ok());
    readings.map(|reading| counts(&reading.candidate)).collect()
}

async fn read(reader: &mut Reader, source: &Script, until: i64) -> Vec<Point> {
    let mut read = Vec::new();
    for at in (0..=until).step_by(10) {
        let now: Timestamp = second(at);
        reader.catch_up(source, now, &mut read).await;
    }
    read
}

/// The rare series has passed its old value by the next reading, the other has not: both begin again.
const AGAIN: [(u32, u32); 5] = [(0, 0), (90, 1), (180, 3), (40, 4), (130, 5)];

#[tokio::test]
async fn what_the_server_has_seen_fall_counts_from_0_with_all_that_fell_with_it() {
    let mut source = script(&AGAIN);
    source.put(RESETS, 30, Ok(codes(30, &[(200, 1), (500, 1)])));
    let points = read(&mut reader(true), &source, 40).await;
    assert_eq!(counted(&points), [(91, 1), (92, 2), (44, 4), (91, 1)]);
    // It is asked only at the first look, for what fell before it, and where something fell.
    let asked = source.asked.lock().expect("unpoisoned").clone();
    let asked: Vec<i64> = asked
        .iter()
        .filter(|(query, _)| query.starts_with("resets("))
        .map(|(_, at)| at.as_second())
        .collect();
    assert_eq!(asked, [0, 30]);
}

#[tokio::test]
async fn a_series_that_the_server_has_not_seen_fall_goes_on() {
    // Only the first has begun again: the other is of a cluster that stayed.
    let mut source = script(&AGAIN);
    source.put(RESETS, 30, Ok(codes(30, &[(200, 1), (500, 0)])));
    let points = read(&mut reader(true), &source, 40).await;
    assert_eq!(counted(&points), [(91, 1), (92, 2), (41, 1), (91, 1)]);
}

/// One of two servers answers that is behind; neither has seen a counter fall.
#[tokio::test]
async fn an_older_sample_of_one_arm_alone_counts_once() {
    let older = [(0, 0), (90, 1), (180, 2), (90, 1), (360, 4), (270, 3), (540, 6)];
    let mut source = script(&older);
    for at in [30, 50] {
        source.put(RESETS, at, Ok(codes(at, &[(200, 0), (500, 0)])));
    }
    let points = read(&mut reader(true), &source, 60).await;
    assert_eq!(
        counted(&points),
        [(91, 1), (91, 1), (0, 0), (182, 2), (0, 0), (182, 2)]
    );
}

#[tokio::test]
async fn a_server_that_cannot_tell_changes_nothing_and_one_that_is_away_is_asked_again() {
    for answer in [
        SourceError::Refused("HTTP 422".into()),
        SourceError::Unusable("a type".into()),
    ] {
        let mut source = script(&AGAIN);
        source.put(RESETS, 30, Err(answer));
        let points = read(&mut reader(true), &source, 30).await;
        assert_eq!(counted(&points), [(91, 1), (92, 2), (1, 1)]);
    }
    let mut away = script(&AGAIN);
    away.put(RESETS, 30, Err(SourceError::Unreachable));
    let mut reader = reader(true);
    let points = read(&mut reader, &away, 30).await;
    assert!(points[3].outcome.as_ref().is_err_and(NoData::transient));
    let mut source = script(&AGAIN);
    source.put(RESETS, 30, Ok(codes(30, &[(200, 1), (500, 1)])));
    assert_eq!(counted(&read(&mut reader, &source, 30).await), [(44, 4)]);
}

/// Queries of one's own may be no selectors, whose resets cannot be asked for.
#[tokio::test]
async fn only_selectors_of_a_preset_are_asked_for_resets() {
    let source = script(&AGAIN);
    let points = read(&mut reader(false), &source, 30).await;
    assert_eq!(counted(&points)[2], (1, 1));
    let asked = source.asked.lock().expect("unpoisoned");
    assert!(asked.iter().all(|(query, _)| !query.starts_with("resets(")));
}

/// A real reset, and later a sample of a server that is behind; the server has seen one fall all the time.
#[tokio::test]
async fn a_fall_is_acted_on_once() {
    let mut source = script(&[(0, 0), (90, 1), (180, 3), (40, 4), (130, 5), (85, 4), (220, 6)]);
    for at in [30, 50] {
        source.put(RESETS, at, Ok(codes(at, &[(200, 1), (500, 1)])));
    }
    let points = read(&mut reader(true), &source, 60).await;
    assert_eq!(
        counted(&points),
        [(91, 1), (92, 2), (44, 4), (91, 1), (0, 0), (91, 1)]
    );
}

#[tokio::test]
async fn what_has_fallen_once_may_fall_again() {
    // The second time the first series only: the other goes on though its old fall is remembered.
    let mut source = script(&[(0, 0), (90, 1), (180, 3), (40, 4), (130, 5), (20, 7), (60, 8)]);
    source.put(RESETS, 30, Ok(codes(30, &[(200, 1), (500, 1)])));
    source.put(RESETS, 50, Ok(codes(50, &[(200, 2), (500, 1)])));
    let points = read(&mut reader(true), &source, 60).await;
    assert_eq!(
        counted(&points),
        [(91, 1), (92, 2), (44, 4), (91, 1), (22, 2), (41, 1)]
    );
}

#[tokio::test]
async fn a_fall_that_the_server_has_forgotten_hides_no_other() {
    // Two falls at 30, whose readings lie 60 and more than 360 s before the others.
    let mut samples = vec![(0, 0), (90, 1), (180, 3), (40, 4)];
    samples.extend((1..=36).map(|k| (40 + 10 * k, 4)));
    samples.push((30, 5));
    let at = 10 * (i64::try_from(samples.len()).expect("few") - 1);
    let mut source = script(&samples);
    source.put(RESETS, 30, Ok(codes(30, &[(200, 2), (500, 2)])));
    source.put(RESETS, at, Ok(codes(at, &[(200, 1), (500, 1)])));
    let points = read(&mut reader(true), &source, at).await;
    assert_eq!(counted(&points).last(), Some(&(35, 5)));
}
