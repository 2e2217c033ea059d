//! Readings on the grid: live, after an outage, by a new leader, and through every lie.

use std::time::Duration;

use serin::ports::{Increment, SourceError};
use serin::sources::reader::MAX_POINTS;
use serin::sources::{Arm, ArmName, Grid, NoData, Point, Queries, Reader, Role};

use super::script::{Answer, Script, codes, second};

const LAG: i64 = 5;
const STEP: i64 = 10;

fn arm(service: &str) -> Arm {
    Arm {
        namespace: "shop".into(),
        service: service.into(),
        ports: vec![80],
        pods: service.into(),
        edges: Vec::new(),
    }
}

fn reader() -> Reader {
    let step = Duration::from_secs(STEP.unsigned_abs());
    let grid = Grid::new(second(0), step, Duration::from_secs(LAG.unsigned_abs()));
    let queries = Queries::custom("{{service}}_total", "{{service}}_bad");
    Reader::new(&queries, &arm("new"), &arm("old"), grid, true).expect("renders")
}

/// A release in which the candidate serves 10 requests a step, one of them bad, and the baseline 90 good ones.
fn release(points: i64) -> Script {
    let mut script = Script::default();
    for n in 0..points {
        let at = n * STEP;
        let k = u32::try_from(n).expect("small");
        if n > 0 {
            script.put("new_total", at, Ok(codes(at, &[(200, 9 * k), (500, k)])));
            script.put("new_bad", at, Ok(codes(at, &[(500, k)])));
        }
        script.put("old_total", at, Ok(codes(at, &[(200, 1000 + 90 * k)])));
    }
    script
}

fn read(points: &[Point]) -> Vec<(Increment, Increment)> {
    let readings = points.iter().filter_map(|point| point.outcome.as_ref().ok());
    readings
        .map(|reading| (reading.candidate.clone(), reading.baseline.clone()))
        .collect()
}

fn increment(requests: u64, bad: u64) -> Increment {
    Increment {
        requests,
        bad: vec![bad],
    }
}

/// All points that one call reads.
async fn catch_up(reader: &mut Reader, source: &Script, now: jiff::Timestamp) -> Vec<Point> {
    let mut read = Vec::new();
    reader.catch_up(source, now, &mut read).await;
    read
}

#[tokio::test]
async fn points_are_read_when_they_are_due_and_once() {
    let script = release(5);
    let mut reader = reader();
    assert_eq!(reader.wake(), second(LAG));
    assert_eq!(catch_up(&mut reader, &script, second(LAG - 1)).await, []);
    let first = catch_up(&mut reader, &script, second(LAG)).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].outcome, Err(NoData::Missing(ArmName::Candidate)));
    assert_eq!(catch_up(&mut reader, &script, second(LAG)).await, []);
    assert_eq!(reader.wake(), second(STEP + LAG));
    let rest = catch_up(&mut reader, &script, second(35 + LAG)).await;
    assert_eq!(
        rest.iter().map(|point| point.at).collect::<Vec<_>>(),
        [10, 20, 30].map(second)
    );
    assert_eq!(read(&rest), vec![(increment(10, 1), increment(90, 0)); 3]);
    assert!(
        script
            .asked
            .lock()
            .expect("unpoisoned")
            .iter()
            .all(|(_, at)| at.as_second() % STEP == 0)
    );
}

#[tokio::test]
async fn an_outage_leaves_no_hole_and_replay_is_identical() {
    let script = release(20);
    let mut live = reader();
    let mut points = catch_up(&mut live, &script, second(55)).await;
    let down = {
        let mut down = release(20);
        down.put("new_bad", 60, Err(SourceError::Unreachable));
        down
    };
    // The server is away: one point is tried, again and again, and no later one.
    for now in [65, 75, 95] {
        let tried = catch_up(&mut live, &down, second(now)).await;
        assert_eq!(tried.len(), 1);
        assert_eq!(tried[0].at, second(60));
        let error = tried[0].outcome.clone().expect_err("no data");
        assert!(error.transient());
        assert_eq!(
            error.to_string(),
            "the metric provider cannot be reached (query for the candidate's bad requests)"
        );
    }
    points.extend(catch_up(&mut live, &script, second(200)).await);
    // A new leader reads the same grid again, in one go and in pieces, from the start and from a clone.
    let mut replayed = reader();
    assert_eq!(catch_up(&mut replayed, &script, second(200)).await, points);
    assert_eq!(replayed, live);
    let mut pieces = reader();
    let mut read_in_pieces = Vec::new();
    for now in 0..=200 {
        pieces = pieces.clone();
        read_in_pieces.extend(catch_up(&mut pieces, &script, second(now)).await);
    }
    assert_eq!(read_in_pieces, points);
    assert_eq!(read(&points).len(), 19);
}

#[tokio::test]
async fn a_long_history_is_read_in_portions() {
    let script = release(200);
    let mut reader = reader();
    assert_eq!(
        catch_up(&mut reader, &script, second(2000)).await.len(),
        MAX_POINTS
    );
    assert_eq!(script.asked(), MAX_POINTS * 4);
    assert_eq!(
        reader.next(),
        second(i64::try_from(MAX_POINTS).expect("small") * STEP)
    );
}

/// The 18 lies of a metric server, as answers at second 30 of the scripted release.
fn lies() -> Vec<(&'static str, Answer)> {
    let honest = || codes(30, &[(200, 27), (500, 3)]);
    let value = |value: f64| {
        let mut samples = honest();
        samples[0].value = value;
        Ok(samples)
    };
    let away = |at: i64| {
        let mut samples = honest();
        samples[0].at = second(at);
        Ok(samples)
    };
    let unusable = || Err(SourceError::Unusable("whatever".into()));
    let mut twice = honest();
    twice.extend(honest());
    vec![
        ("down or slow", Err(SourceError::Unreachable)),
        ("answers 500", Err(SourceError::Status(500))),
        ("redirects", Err(SourceError::Status(302))),
        ("denies", Err(SourceError::Denied(403))),
        (
            "has lost our token",
            Err(SourceError::Credentials("/token".into())),
        ),
        ("refuses the query", Err(SourceError::Refused("HTTP 400".into()))),
        ("an error in a 200", Err(SourceError::Refused("execution".into()))),
        ("wrong type", unusable()),
        ("huge body", unusable()),
        ("unreadable", unusable()),
        ("NaN", value(f64::NAN)),
        ("+Inf", value(f64::INFINITY)),
        ("-Inf", value(f64::NEG_INFINITY)),
        ("negative", value(-3.0)),
        ("wrong unit", value(1e18)),
        ("stale", away(30 - 300)),
        ("clock skew", away(30 + 300)),
        ("duplicate series", Ok(twice)),
    ]
}

#[tokio::test]
async fn no_lie_gives_a_reading_and_none_costs_evidence() {
    let lies = lies();
    assert_eq!(lies.len(), 18);
    let queries = [
        ("new_total", ArmName::Candidate, Role::Total),
        ("new_bad", ArmName::Candidate, Role::Bad),
        ("old_total", ArmName::Baseline, Role::Total),
        ("old_bad", ArmName::Baseline, Role::Bad),
    ];
    for (name, lie) in lies {
        for (query, arm, role) in queries {
            let mut liar = release(6);
            liar.put(query, 30, lie.clone());
            let mut reader = reader();
            let points = catch_up(&mut reader, &liar, second(60)).await;
            let struck = points.iter().find(|point| point.at == second(30)).expect("tried");
            let told = struck.outcome.as_ref().expect_err(name).to_string();
            assert!(told.contains(&format!("{arm}'s {role}")), "{name}: {told}");
            // Once it is over, everything has been counted once.
            let mut counted = read(&points);
            counted.extend(read(&catch_up(&mut reader, &release(6), second(60)).await));
            let sum = counted.iter().fold((0, 0, 0, 0), |sum, (new, old)| {
                (
                    sum.0 + new.requests,
                    sum.1 + new.bad[0],
                    sum.2 + old.requests,
                    sum.3 + old.bad[0],
                )
            });
            assert_eq!(sum, (50, 5, 450, 0), "{name} in {query}");
        }
    }
}

#[tokio::test]
async fn a_missing_arm_is_named() {
    for (query, arm) in [
        ("new_total", ArmName::Candidate),
        ("old_total", ArmName::Baseline),
    ] {
        let mut script = release(6);
        script.put(query, 30, Ok(vec![]));
        let points = catch_up(&mut reader(), &script, second(60)).await;
        assert_eq!(points[3].outcome, Err(NoData::Missing(arm)));
        assert_eq!(read(&points).iter().map(|(new, _)| new.requests).sum::<u64>(), 50);
        assert_eq!(
            read(&points).iter().map(|(_, old)| old.requests).sum::<u64>(),
            450
        );
    }
}

#[test]
fn the_grid_has_one_point_after_each() {
    let grid = Grid::new(second(100), Duration::from_millis(1500), Duration::from_secs(5));
    assert_eq!(grid.start(), second(100));
    assert_eq!(grid.after(None), second(100));
    assert_eq!(grid.after(Some(second(99))), second(100));
    assert_eq!(grid.after(Some(second(100))).as_millisecond(), 101_500);
    assert_eq!(grid.after(Some(second(101))).as_millisecond(), 101_500);
    assert_eq!(grid.after(Some(grid.after(Some(second(100))))), second(103));
    assert_eq!(grid.readable(second(103)), second(108));
    let endless = Grid::new(second(0), Duration::MAX, Duration::MAX);
    assert_eq!(endless.after(Some(second(0))), jiff::Timestamp::MAX);
    assert_eq!(endless.readable(second(0)), jiff::Timestamp::MAX);
}
