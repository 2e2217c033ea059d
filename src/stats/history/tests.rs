mod facts;

use super::*;

const MARGIN: Margin = Margin::new(1.05, 5e-5);

fn ticks(bad: impl Fn(usize, usize) -> u64) -> Vec<PodCounts> {
    (0..240)
        .map(|t| (0..8).map(|p| Counts::new(100, bad(t, p))).collect())
        .collect()
}

#[test]
fn an_even_past_is_plain() {
    let b = background(&ticks(|t, p| u64::from((t * 7 + p * 3) % 10 == 0)), MARGIN);
    assert_eq!((b.dispersion(), b.burst_ticks(), b.pod_spread()), (1.0, 1, 0.0));
    assert!((b.rate().unwrap() - 0.001).abs() < 2e-5);
    assert_eq!(background(&[], MARGIN), Background::default());
    assert_eq!(background(&ticks(|_, _| 0), MARGIN).rate(), Some(0.0));
}

#[test]
fn a_fault_that_all_pods_share_is_not_their_difference() {
    let b = background(&ticks(|t, _| if (50..60).contains(&t) { 30 } else { 1 }), MARGIN);
    assert_eq!((b.dispersion(), b.pod_spread()), (1.0, 0.0));
}

#[test]
fn clumps_bursts_and_unlike_pods_are_told_apart() {
    let clumps = background(
        &ticks(|t, p| if (t * 7 + p * 11) % 40 == 0 { 3 } else { 0 }),
        MARGIN,
    );
    assert!((2.0..4.0).contains(&clumps.dispersion()), "{clumps:?}");
    assert!(clumps.pod_spread() < 1e-9, "{clumps:?}");
    let bursts = background(
        &ticks(|t, p| if t % 40 < 4 && t / 40 % 8 == p { 50 } else { 0 }),
        MARGIN,
    );
    assert_eq!(bursts.burst_ticks(), 4);
    assert!(bursts.rate().unwrap() < 0.001, "{bursts:?}");
    let unlike = background(&ticks(|_, p| 1 + p as u64 / 2), MARGIN);
    assert!((0.3..0.6).contains(&unlike.pod_spread()), "{unlike:?}");
}

#[test]
fn bursts_that_flicker_are_one_and_a_single_sure_one_counts() {
    // Four minutes of a burst that pauses for a tick in between, on one pod, once.
    let flicker = |t: usize, p: usize| {
        if (60..76).contains(&t) && t != 68 && p == 2 {
            20
        } else {
            0
        }
    };
    let of = |seconds| background_of(&ticks(flicker), seconds, MARGIN);
    assert_eq!((of(15.0).burst_ticks(), of(15.0).calm()), (16, false));
    assert_eq!(of(60.0).burst_ticks(), 8);
    assert_eq!(background(&ticks(flicker), MARGIN).burst_ticks(), 16);
    assert!((of(15.0).burst_seconds(5.0) - 240.0).abs() < 1e-9);
    // One tick a little beyond the limit is chance; one far beyond is not.
    let once = |bad: u64| {
        background_of(
            &ticks(move |t, p| if (t, p) == (9, 1) { bad } else { 0 }),
            15.0,
            MARGIN,
        )
    };
    assert!(once(5).calm() && once(5).burst_ticks() == 1);
    assert!(!once(6).calm() && once(6).burst_ticks() == 1);
    let twice = |t: usize, p: usize| if t % 100 == 9 && p == 1 { 4 } else { 0 };
    assert!(!background_of(&ticks(twice), 15.0, MARGIN).calm());
    // Nine of ten bursts are shorter than the longest.
    let mixed = |t: usize, p: usize| {
        let burst = if t < 40 {
            (30..36).contains(&t)
        } else {
            t.is_multiple_of(20)
        };
        if burst && p == 0 { 9 } else { 0 }
    };
    assert_eq!(background_of(&ticks(mixed), 15.0, MARGIN).burst_ticks(), 1);
}

#[test]
fn a_past_is_calm_if_it_is_long_enough() {
    let even = ticks(|t, p| u64::from((t * 7 + p * 3) % 10 == 0));
    assert!(background_of(&even, 15.0, MARGIN).calm());
    assert!(!background_of(&even[..179], 15.0, MARGIN).calm());
    assert!(background_of(&even[..180], 15.0, MARGIN).calm());
    assert!(
        background_of(&even[..45], 60.0, MARGIN).calm() && !background_of(&even[..44], 60.0, MARGIN).calm()
    );
    assert!(background(&even[..180], MARGIN).calm() && !background(&even[..179], MARGIN).calm());
    assert!((background_of(&even, 15.0, MARGIN).burst_seconds(5.0) - 5.0).abs() < 1e-9);
}

#[test]
fn how_often_one_looks_does_not_change_what_is_seen() {
    let fine: Vec<PodCounts> = (0..720)
        .map(|t| {
            (0..8)
                .map(|p| Counts::new(33, u64::from((t * 5 + p * 7) % 61 == 0) * 3))
                .collect()
        })
        .collect();
    let coarse: Vec<PodCounts> = fine
        .chunks(3)
        .map(|part| (0..8).map(|p| total(part, p)).collect())
        .collect();
    let (a, b) = (
        background_of(&fine, 5.0, MARGIN),
        background_of(&coarse, 15.0, MARGIN),
    );
    assert_eq!(a, b);
    assert!(
        a.dispersion() > 2.0 && (a.tick_seconds() - 15.0).abs() < 1e-9,
        "{a:?}"
    );
}
