use super::*;
use jiff::Timestamp;

fn bucket((lower, upper, count): (f64, f64, f64)) -> NativeBucket {
    NativeBucket { lower, upper, count }
}

fn histogram(count: f64, buckets: &[(f64, f64, f64)]) -> Histogram {
    Histogram {
        labels: [("pod".to_owned(), "a".to_owned())].into(),
        count,
        buckets: buckets.iter().copied().map(bucket).collect(),
        at: Timestamp::UNIX_EPOCH,
    }
}

/// The same 64 requests, 55 of them within a quarter of a second, as Prometheus 3.15 has told them.
fn standard() -> Histogram {
    histogram(
        64.0,
        &[
            (0.000_488_281_25, 0.000_532_474_478_840_457_9, 3.0),
            (0.028_656_376_350_145_972, 0.031_25, 40.0),
            (0.114_625_505_400_583_89, 0.125, 7.0),
            (0.229_251_010_801_167_78, 0.25, 5.0),
            (0.25, 0.272_626_933_166_314_4, 2.0),
            (0.385_552_706_351_985_2, 0.420_448_207_626_857_2, 4.0),
            (2.828_427_124_746_19, 3.084_421_650_815_881_5, 1.0),
            (11.313_708_498_984_76, 12.337_686_603_263_526, 2.0),
        ],
    )
}

/// Bounds at the powers of four.
fn coarse() -> Histogram {
    histogram(
        64.0,
        &[
            (0.000_244_140_625, 0.000_976_562_5, 3.0),
            (0.015_625, 0.0625, 40.0),
            (0.0625, 0.25, 12.0),
            (0.25, 1.0, 6.0),
            (1.0, 4.0, 1.0),
            (4.0, 16.0, 2.0),
        ],
    )
}

/// Classic buckets that the server has made a native histogram of.
fn custom() -> Histogram {
    histogram(
        64.0,
        &[
            (f64::NEG_INFINITY, 0.005, 3.0),
            (0.025, 0.05, 40.0),
            (0.1, 0.25, 12.0),
            (0.25, 0.5, 6.0),
            (2.5, 5.0, 1.0),
            (10.0, f64::INFINITY, 2.0),
        ],
    )
}

/// The counts at some edges, and of all; `None` where there is none.
fn read(histogram: &Histogram, edges: &[f64]) -> (Vec<Option<f64>>, f64) {
    let samples = cumulative(std::slice::from_ref(histogram), edges).expect("sound");
    let at = |edge: String| samples.iter().find(|it| it.labels[EDGE_LABEL] == edge);
    let counts = edges.iter().map(|edge| Some(at(edge.to_string())?.value));
    assert!(samples.iter().all(|it| it.labels["pod"] == "a"));
    (counts.collect(), at("+Inf".to_owned()).expect("all").value)
}

#[test]
fn counts_at_bounds_are_those_of_the_observations() {
    let edges = [0.125, 0.25, 0.5, 16.0];
    assert_eq!(
        read(&standard(), &edges),
        (vec![Some(50.0), Some(55.0), Some(61.0), Some(64.0)], 64.0)
    );
    // A quarter of an octave, computed, is the bound that the server prints with other last digits.
    let quarter = 0.25 * 0.75_f64.exp2();
    assert_eq!(read(&standard(), &[quarter]).0, [Some(61.0)]);
}

#[test]
fn an_edge_within_a_bucket_has_no_count() {
    // `histogram_fraction` says 49 and 58 here, and 45 of the custom one: whole numbers, and wrong.
    assert_eq!(read(&coarse(), &[0.125, 0.25, 0.5]).0, [None, Some(55.0), None]);
    assert_eq!(
        read(&custom(), &[0.001, 0.125, 0.25, 0.5, 7.0, 16.0]).0,
        [None, None, Some(55.0), Some(61.0), Some(62.0), None]
    );
    let wide = histogram(64.0, &[(-0.3, 0.3, 57.0), (0.5, 1.0, 7.0)]);
    assert_eq!(read(&wide, &[0.25, 0.5, 1.0]).0, [None, Some(57.0), Some(64.0)]);
}

#[test]
fn odd_observations_count_as_slow_or_fast_but_count() {
    let mut odd = standard();
    // Five of NaN, which no bucket holds; three below zero, two of zero, two without end.
    odd.count = 76.0;
    odd.buckets.extend(
        [
            (-2.0, -1.834_008_086_409_342_3, 3.0),
            (-2.938_735_877_055_719e-39, 2.938_735_877_055_719e-39, 2.0),
            (f64::MAX, f64::INFINITY, 2.0),
        ]
        .map(bucket),
    );
    assert_eq!(read(&odd, &[0.25, 16.0]), (vec![Some(60.0), Some(69.0)], 76.0));
    assert_eq!(bounds(std::slice::from_ref(&odd)), bounds(&[standard()]));
    assert_eq!(read(&histogram(0.0, &[]), &[0.25]), (vec![Some(0.0)], 0.0));
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (wrong, why) in [
        (histogram(5.0, &[(0.25, 0.5, f64::NAN)]), "whose count is none"),
        (
            histogram(5.0, &[(0.25, 0.5, f64::INFINITY)]),
            "whose count is none",
        ),
        (
            histogram(5.0, &[(0.25, 0.5, -1.0), (0.5, 1.0, 3.0)]),
            "whose count is none",
        ),
        (histogram(5.0, &[(0.25, 0.25, 1.0)]), "without width"),
        (histogram(5.0, &[(f64::NAN, 0.25, 1.0)]), "without width"),
        (
            histogram(5.0, &[(0.25, 0.5, 6.0)]),
            "more in its buckets than it has counted",
        ),
    ] {
        let error = cumulative(&[standard(), wrong], &[0.25]).expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
    }
    // What is wrong with the count of all is said where every counter is looked at.
    let nan = cumulative(&[histogram(f64::NAN, &[(0.25, 0.5, 6.0)])], &[]).expect("left as it is");
    assert!(nan[0].value.is_nan());
}

#[test]
fn the_bounds_last_when_buckets_become_coarser() {
    let one = bounds(&[standard()]);
    let first: Vec<f64> = one.lasting.iter().take(3).copied().collect();
    assert_eq!(first, [0.000_488_281_25, 0.000_976_562_5, 0.001_953_125]);
    assert_eq!(one.lasting.last(), Some(&8.0));
    // A user's own time may be faster or slower than all that was seen.
    let quarters = one.finer.iter().filter(|edge| (0.25..0.5).contains(*edge));
    assert_eq!(quarters.count(), 4);
    assert!(one.finer[0] < 2e-6 && one.finer[one.finer.len() - 1] > 3e6);
    assert!(one.lasting.iter().all(|edge| one.finer.contains(edge)));
    // Where pods differ the coarser ones decide.
    let both = bounds(&[standard(), coarse()]);
    assert_eq!(both.lasting.first(), Some(&0.000_244_140_625));
    for known in [&both.lasting, &both.finer] {
        assert!(known.contains(&0.25) && !known.contains(&0.5), "{known:?}");
    }
    // Of custom buckets those that were seen.
    let seen = bounds(&[custom()]);
    assert_eq!(seen.lasting, [0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 2.5, 5.0, 10.0]);
    assert_eq!(seen.finer, seen.lasting);
    // Of both, what neither has counted across.
    assert_eq!(bounds(&[standard(), custom()]), seen);
    for nothing in [histogram(0.0, &[]), histogram(4.0, &[(-1e-9, 1e-9, 4.0)])] {
        assert_eq!(bounds(&[nothing]), Bounds::default());
    }
    assert_eq!(bounds(&[]), Bounds::default());
}

#[test]
fn powers_of_two_are_bounds_of_every_schema_from_0_on() {
    for schema in 0..=8 {
        let each = f64::from(schema).exp2();
        let end = |step: i32| (f64::from(step) / each).exp2();
        let steps = (-12.0 * each) as i32..(12.0 * each) as i32;
        let buckets: Vec<(f64, f64, f64)> = steps.map(|step| (end(step), end(step + 1), 1.0)).collect();
        let full = histogram(24.0 * each, &buckets);
        let found = bounds(std::slice::from_ref(&full));
        assert_eq!(found.lasting.len(), 25, "{schema}");
        let (counts, _) = read(&full, &found.lasting);
        for (octave, count) in counts.into_iter().enumerate() {
            assert_eq!(count, Some(octave as f64 * each), "{schema}");
        }
        let finer = found.finer.iter().filter(|edge| (1.0..2.0).contains(*edge));
        assert_eq!(finer.count(), 1 << schema.min(FINEST), "{schema}");
    }
}
