//! Native histograms on the way from the server to increments: found, chosen at edges, read, and refused.

use std::time::Duration;

use serin::ports::{Histogram, NativeBucket, SourceError, Span};
use serin::sources::history::{self, Shape};
use serin::sources::{Arm, Choice, Grid, NoData, Outlook, Point, Preflight, Queries, Reader};

use super::script::{Script, codes, octaves, second};

const CLASSIC: &str = r#"http_request_duration_seconds_bucket{namespace="shop",pod=~"old",le=~".+"}"#;
const NATIVE: &str = r#"http_request_duration_seconds{namespace="shop",pod=~"old"}"#;

fn arm(pods: &str) -> Arm {
    Arm {
        namespace: "shop".into(),
        service: "checkout".into(),
        ports: vec![80],
        pods: pods.into(),
        edges: Vec::new(),
    }
}

fn latency() -> Preflight {
    Preflight::new(Choice::preset(None, true), &arm("old")).expect("renders")
}

fn words(outlook: &Outlook) -> String {
    match outlook {
        Outlook::Looking(words) | Outlook::Late(words) => words.clone(),
        Outlook::Found(choice) => choice.title(),
    }
}

async fn looks(script: &Script) -> String {
    let mut preflight = latency();
    preflight.look(script, second(0)).await;
    words(&preflight.look(script, second(10)).await)
}

#[tokio::test]
async fn a_preset_falls_back_to_native_histograms() {
    let mut script = Script::default();
    for (at, count) in [(0, 5), (10, 9)] {
        script.put_native(NATIVE, at, Ok(vec![octaves("a", at, &[(0.25, count)])]));
    }
    assert_eq!(looks(&script).await, "http-requests (native histogram)");
    // Where both are, classic buckets go first.
    for (at, count) in [(0, 5), (10, 9)] {
        script.put(CLASSIC, at, Ok(codes(at, &[(200, count)])));
    }
    assert_eq!(looks(&script).await, "http-requests");
}

#[tokio::test]
async fn a_summary_is_no_histogram_and_says_so() {
    let mut script = Script::default();
    let number = "a sample is a plain number, not a native histogram";
    for at in [0, 10] {
        script.put_native(NATIVE, at, Err(SourceError::Unusable(number.into())));
    }
    let told = looks(&script).await;
    assert!(told.ends_with(number), "{told}");
    // Nothing moves in an empty one.
    let mut still = Script::default();
    for at in [0, 10] {
        still.put_native(NATIVE, at, Ok(vec![octaves("a", at, &[])]));
    }
    let told = looks(&still).await;
    assert!(
        told.starts_with("series of http-requests (native histogram) found"),
        "{told}"
    );
    assert!(told.contains("do not move"), "{told}");
}

fn queries() -> Queries {
    Queries::native("seconds{pod=~\"{{pods}}\"}", 1.0)
}

fn reader() -> Reader {
    let grid = Grid::new(second(0), Duration::from_secs(10), Duration::ZERO);
    let edges = vec![0.25, 1.0];
    let (new, old) = (arm("new").at(edges.clone()), arm("old").at(edges));
    Reader::new(&queries(), &new, &old, grid, false).expect("renders")
}

/// Both arms, evaluation by evaluation: what each has counted up to 250 ms, 500 ms and 2 s.
fn script(new: &[[u32; 3]], old: &[[u32; 3]]) -> Script {
    let mut script = Script::default();
    for (pods, counts) in [("new", new), ("old", old)] {
        for (n, [fast, middle, slow]) in counts.iter().enumerate() {
            let at = 10 * i64::try_from(n).expect("small");
            let one = octaves(pods, at, &[(0.25, *fast), (0.5, *middle), (2.0, *slow)]);
            script.put_native(&format!("seconds{{pod=~\"{pods}\"}}"), at, Ok(vec![one]));
        }
    }
    script
}

async fn read(script: &Script, now: i64) -> Vec<Point> {
    let (mut reader, mut read) = (reader(), Vec::new());
    while reader.catch_up(script, second(now), &mut read).await {}
    read
}

/// Requests and bad ones of the candidate, or why there are none.
fn told(points: &[Point]) -> Vec<Result<(u64, Vec<u64>), String>> {
    let outcome = |point: &Point| match &point.outcome {
        Ok(reading) => Ok((reading.candidate.requests, reading.candidate.bad.clone())),
        Err(why) => Err(why.to_string()),
    };
    points.iter().map(outcome).collect()
}

#[tokio::test]
async fn increments_are_whole_and_a_restart_counts_from_nothing() {
    let new = [[10, 5, 1], [16, 9, 2], [7, 35, 3], [7, 35, 4]];
    let points = read(&script(&new, &[[9, 9, 9]; 4]), 30).await;
    assert_eq!(
        told(&points),
        [
            Ok((0, vec![0, 0])),
            Ok((11, vec![5, 1])),
            // Restarted: 45 requests of its own, though 7 + 35 + 3 are more than there were.
            Ok((45, vec![38, 3])),
            Ok((1, vec![1, 1])),
        ]
    );
    // One evaluation by itself, or several together: the same.
    let mut one = Vec::new();
    let mut live = reader();
    for now in [0, 10, 20, 30] {
        live.catch_up(&script(&new, &[[9, 9, 9]; 4]), second(now), &mut one)
            .await;
    }
    assert_eq!(one, points);
}

/// What a candidate may show at one evaluation that must hold the release, and what is said of it.
fn lies() -> Vec<(Vec<Histogram>, &'static str)> {
    let one = |buckets: &[(f64, f64, f64)], count: f64| Histogram {
        count,
        buckets: buckets
            .iter()
            .map(|(lower, upper, count)| NativeBucket {
                lower: *lower,
                upper: *upper,
                count: *count,
            })
            .collect(),
        ..octaves("new", 20, &[])
    };
    let across = "the candidate's histogram has no bucket that ends at";
    vec![
        (vec![one(&[(0.25, 0.5, 40.0)], f64::NAN)], "has the value NaN"),
        (
            vec![one(&[(0.25, 0.5, 40.0)], f64::INFINITY)],
            "has the value infinity",
        ),
        (
            vec![one(&[], -1.0)],
            "holds more in its buckets than it has counted",
        ),
        (
            vec![one(&[(0.25, 0.5, f64::NAN)], 40.0)],
            "a bucket whose count is none",
        ),
        (
            vec![one(&[(0.25, 0.5, -4.0)], 40.0)],
            "a bucket whose count is none",
        ),
        (
            vec![one(&[(0.25, 0.5, 41.0)], 40.0)],
            "holds more in its buckets than it has counted",
        ),
        // Bounds at the powers of 16; a classic histogram's, made a native one; a wide bucket around zero.
        (vec![one(&[(0.0625, 1.0, 40.0)], 40.0)], across),
        (vec![one(&[(0.1, 0.3, 40.0)], 40.0)], across),
        (vec![one(&[(-0.5, 0.5, 40.0)], 40.0)], across),
        (vec![], "no series counts the candidate's requests"),
    ]
}

#[tokio::test]
async fn what_cannot_be_counted_at_the_edges_holds_and_loses_nothing() {
    let counts = [[10, 5, 1], [20, 10, 2], [30, 15, 3], [40, 20, 4]];
    for (lie, why) in lies() {
        let mut script = script(&counts, &counts);
        script.put_native("seconds{pod=~\"new\"}", 20, Ok(lie));
        let told = told(&read(&script, 30).await);
        let struck = told[2].as_ref().expect_err(why);
        assert!(struck.contains(why), "{struck}: {why}");
        assert_eq!(told[3], Ok((32, vec![12, 2])), "{why}");
    }
}

#[tokio::test]
async fn a_candidate_without_native_histograms_is_missing() {
    // As when one version has classic buckets and the other native ones.
    let points = read(&script(&[], &[[9, 9, 9]; 2]), 10).await;
    assert!(
        points
            .iter()
            .all(|point| matches!(point.outcome, Err(NoData::Missing(_)))),
        "{points:?}"
    );
}

fn span(points: i64) -> Span {
    Span {
        start: second(0),
        end: second(10 * (points - 1)),
        step: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn edges_are_powers_of_two_and_others_are_looked_up_more_finely() {
    let quarter = |upper: f64, count: f64| NativeBucket {
        lower: upper / 0.25_f64.exp2(),
        upper,
        count,
    };
    let one = |at, counts: [f64; 3]| Histogram {
        count: counts.iter().sum(),
        buckets: vec![
            quarter(0.125, counts[0]),
            quarter(0.25 * 0.25_f64.exp2(), counts[1]),
            quarter(1.0, counts[2]),
        ],
        ..octaves("a", at, &[])
    };
    let mut script = Script::default();
    let query = "seconds{pod=~\"old\"}";
    script.put_native(query, 0, Ok(vec![one(0, [100.0, 100.0, 100.0])]));
    script.put_native(query, 20, Ok(vec![one(20, [150.0, 140.0, 110.0])]));
    let shape = history::histogram(&script, &queries(), &arm("old"), span(3))
        .await
        .expect("a shape");
    assert_eq!(
        shape.counts,
        [
            (0.125, 50),
            (0.25, 50),
            (0.5, 90),
            (1.0, 100),
            (f64::INFINITY, 100)
        ]
    );
    let readable = shape.readable.iter().filter(|edge| (0.25..0.5).contains(*edge));
    assert_eq!(readable.count(), 4, "{:?}", shape.readable);
    let none = history::histogram(&Script::default(), &queries(), &arm("old"), span(3)).await;
    assert_eq!(none, Ok(Shape::default()));
}

#[tokio::test]
async fn a_past_that_is_too_large_is_read_in_pieces_and_the_oldest_is_left_out() {
    let mut script = Script::default();
    let query = "seconds{pod=~\"old\"}";
    let points = 200;
    for n in 0..points {
        let counts = [(0.25, 3 * n), (2.0, n)];
        let at = 10 * i64::from(n);
        script.put_native(query, at, Ok(vec![octaves("a", at, &counts)]));
    }
    let beside = arm("old").at(vec![0.5]);
    let past = history::past(&script, &queries(), &beside, span(i64::from(points)))
        .await
        .expect("a past");
    assert_eq!(past.ticks.len(), 199);
    assert!(
        past.ticks
            .iter()
            .all(|tick| (tick[0].requests, tick[0].bad[0]) == (4, 1))
    );
    assert!((past.pace - 0.4).abs() < 1e-9);
    // One evaluation's answer is too large, whatever is asked for with it.
    let large = "it is larger than 4 MiB; narrow the query";
    script.put_native(query, 1500, Err(SourceError::Unusable(large.into())));
    let past = history::past(&script, &queries(), &beside, span(i64::from(points)))
        .await
        .expect("a past");
    assert_eq!(past.ticks.len(), 48);
}
