//! What each measure of the past is, by figures that can be reckoned in the head, and where its limits lie.

#![allow(clippy::float_cmp)] // nothing is rounded where equality is meant

use super::super::*;

const MARGIN: Margin = Margin::new(1.05, 5e-5);

/// One tick: requests and bad ones of each pod.
fn tick<const PODS: usize>(pods: [(u64, u64); PODS]) -> PodCounts {
    pods.map(|(requests, bad)| Counts::new(requests, bad)).to_vec()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn a_burst_is_beyond_three_deviations_of_what_is_expected_and_a_clump_more() {
    for (expected, spread, limit) in [
        // At least 3.
        (0.0, 1.0, 3),
        (0.01, 1.0, 3),
        // 4 + 3.1 * 2 + 1.
        (4.0, 1.0, 12),
        // 4 + 3.1 * 3 + 2.25.
        (4.0, 2.25, 16),
        // 100 + 3.1 * 10 + 1.
        (100.0, 1.0, 132),
    ] {
        assert_eq!(burst_limit(expected, spread), limit, "{expected} {spread}");
    }
}

#[test]
fn clumps_are_measured_by_how_far_pods_lie_from_their_part_of_the_failures() {
    // A quarter of the requests and all four failures: 3 off each way, where chance gives 4 * (1 - 1/16 - 9/16).
    let one = tick([(100, 4), (300, 0)]);
    let ratio = blocks_dispersion(std::slice::from_ref(&one), 2, 1).unwrap();
    assert!(near(ratio, 18.0 / 1.5), "{ratio}");
    // Among three pods, a quarter, a quarter and a half: 6, -2 and -4 off, 8 * (1 - 3/8) by chance; and as that in a
    // tick of twice as much, where a pod that is not there takes no part.
    let three = [
        tick([(100, 8), (100, 0), (200, 0), (0, 0)]),
        tick([(200, 16), (200, 0), (400, 0), (0, 0)]),
    ];
    let ratio = blocks_dispersion(&three, 4, 1).unwrap();
    assert!(near(ratio, (56.0 + 224.0) / (5.0 + 10.0)), "{ratio}");
    // Ticks in blocks of two, where a half block at the end does not count.
    let turns = [
        tick([(100, 9), (100, 0)]),
        tick([(100, 3), (100, 0)]),
        tick([(100, 0), (100, 50)]),
    ];
    let ratio = blocks_dispersion(&turns, 2, 2).unwrap();
    assert!(near(ratio, (36.0 + 36.0) / 6.0), "{ratio}");
}

#[test]
fn without_failures_or_a_second_pod_nothing_tells_of_clumps() {
    assert_eq!(blocks_dispersion(&[], 2, 1), None);
    assert_eq!(
        blocks_dispersion(&vec![tick([(100, 0), (100, 0)]); 9], 2, 1),
        None
    );
    assert_eq!(blocks_dispersion(&vec![tick([(100, 9), (0, 0)]); 9], 2, 1), None);
    assert_eq!(blocks_dispersion(&vec![tick([(100, 9)]); 9], 1, 1), None);
}

/// Ticks of two pods with 100 requests each, and a third one that is not there.
fn pairs(bad: &[(u64, u64)]) -> Vec<PodCounts> {
    let of = |(a, b): &(u64, u64)| tick([(100, *a), (100, *b), (0, 0)]);
    bad.iter().map(of).collect()
}

#[test]
fn clumps_count_if_they_are_more_than_two_and_a_half_deviations_above_chance() {
    // With eight degrees of freedom a ratio of 1 + 2.5 / 2 is chance. The squares of what two equal pods differ by, over
    // what they sum up to: here just 36 / 16.
    let even = [(5, 0), (2, 0), (0, 2), (1, 0), (0, 1), (1, 0), (1, 1), (1, 1)];
    assert_eq!(blocks_dispersion(&pairs(&even), 3, 1), None);
    // 3 instead of 1, 44 / 18; a tick without any failure adds nothing.
    let mut more = even.to_vec();
    more[3] = (3, 0);
    more.push((0, 0));
    let ratio = blocks_dispersion(&pairs(&more), 3, 1).unwrap();
    assert!(near(ratio, 44.0 / 18.0), "{ratio}");
}

#[test]
fn a_burst_is_of_one_pod_and_lasts_until_it_pauses_for_longer_than_a_flicker() {
    let all = |bad: &[u64], flicker: usize| {
        let ticks: Vec<PodCounts> = bad.iter().map(|bad| tick([(100, *bad)])).collect();
        let found = bursts(&ticks, 1, flicker, &|_| 3);
        let of = |burst: Burst| (burst.from, burst.to, burst.sure);
        found.into_iter().map(of).collect::<Vec<_>>()
    };
    // At the limit is none; beyond it a little may be chance, unless it comes twice, or lasts.
    assert_eq!(all(&[0, 3, 3, 0], 1), []);
    assert_eq!(all(&[0, 4, 0, 0], 1), []);
    assert_eq!(all(&[0, 5, 0, 0], 1), []);
    assert_eq!(all(&[0, 6, 0, 0], 1), [(1, 1, true)]);
    assert_eq!(all(&[0, 4, 4, 0], 1), [(1, 2, true)]);
    assert_eq!(all(&[4, 0, 0, 4], 1), [(0, 0, false), (3, 3, false)]);
    // What was sure stays so.
    assert_eq!(all(&[9, 4, 0, 0], 1), [(0, 1, true)]);
    // A pause of one tick, of two, and of two where they are a flicker.
    assert_eq!(all(&[4, 0, 4, 0], 1), [(0, 2, true)]);
    assert_eq!(all(&[4, 0, 0, 4, 4], 1), [(0, 0, false), (3, 4, true)]);
    assert_eq!(all(&[4, 0, 0, 4], 2), [(0, 3, true)]);
    assert_eq!(all(&[4, 4], 0), [(0, 1, true)]);
    // Each pod has its own.
    let ticks = vec![
        tick([(100, 9), (100, 0), (100, 9)]),
        tick([(100, 0), (100, 9), (100, 9)]),
    ];
    let of = |burst: &Burst| (burst.from, burst.to);
    let found: Vec<_> = bursts(&ticks, 3, 1, &|_| 3).iter().map(of).collect();
    assert_eq!(found, [(0, 0), (1, 1), (0, 1)]);
}

#[test]
fn nine_of_ten_bursts_are_no_longer_than_is_usual() {
    let usual = |lengths: &[usize]| {
        let of = |length: &usize| Burst {
            from: 7,
            to: 6 + length,
            sure: true,
        };
        usual_length(&lengths.iter().map(of).collect::<Vec<_>>())
    };
    assert_eq!(usual(&[]), 1);
    assert_eq!(usual(&[5]), 5);
    assert_eq!(usual(&[9, 1, 2]), 9);
    assert_eq!(usual(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 20]), 9);
    assert_eq!(usual(&[20, 30, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 20);
}

#[test]
fn pods_are_unlike_by_what_their_rates_vary_beyond_chance_and_clumps() {
    // Of 25 and 75 expected 10 and 90 are seen: 225 each, less dispersion * 100, over 25² + 75². The ratio to chance is
    // 9 + 3 for one degree of freedom, and counts from 1 + 2.5 * 2^0.5 = 4.54 on. A pod that was not there is none.
    let pods = [(1000, 10), (0, 0), (3000, 90)].map(|(n, x)| Counts::new(n, x));
    assert!(near(spread(&pods, 1.0), (350.0_f64 / 6250.0).ln_1p().sqrt()));
    assert!(near(spread(&pods, 2.0), (250.0_f64 / 6250.0).ln_1p().sqrt()));
    assert_eq!(spread(&pods, 3.0), 0.0);
    // Of 32 each, 16 and 48 and 32 twice: 512 - 128 over 4 * 32²; 16 for three degrees of freedom.
    let four = [16, 48, 32, 32].map(|x| Counts::new(1024, x));
    assert!(near(spread(&four, 1.0), (384.0_f64 / 4096.0).ln_1p().sqrt()));
    // Where nothing failed, or one pod was alone, or none was there.
    assert_eq!(spread(&[Counts::new(1000, 0); 4], 1.0), 0.0);
    assert_eq!(spread(&[Counts::new(1000, 30)], 1.0), 0.0);
    assert_eq!(spread(&[], 1.0), 0.0);
}

#[test]
fn pods_are_alike_up_to_two_and_a_half_deviations() {
    // Nine pods of which 16 failures are expected each, eight degrees of freedom: 2.25 of chance is chance.
    let nine = |off: u64| {
        let mut bad = [16; 9];
        (bad[2], bad[5]) = (16 + off, 16 - off);
        spread(&bad.map(|x| Counts::new(1024, x)), 1.0)
    };
    assert_eq!(nine(12), 0.0);
    let more = (2.0 * 169.0 - 144.0) / (9.0 * 256.0);
    assert!(near(nine(13), f64::ln_1p(more).sqrt()), "{}", nine(13));
}

#[test]
fn without_a_length_a_tick_is_one_that_is_neither_merged_nor_takes_more_than_one_for_a_flicker() {
    let twice = |t: usize| if t % 100 < 2 { 50 } else { 0 };
    let ticks: Vec<PodCounts> = (0..200).map(|t| tick([(100, twice(t)), (100, 0)])).collect();
    let known = background(&ticks, MARGIN);
    assert_eq!((known.burst_ticks(), known.tick_seconds()), (2, 0.0));
    // 180 ticks would be 45 minutes.
    let calm = |ticks: usize| background(&vec![tick([(100, 0), (100, 0)]); ticks], MARGIN).calm();
    assert!(calm(180) && !calm(179));
}

#[test]
fn a_burst_does_not_raise_the_usual_rate_above_its_limit() {
    // 8 of 4,000 requests are bad, all in one tick of one pod, where 3 is the most that is usual.
    let mut ticks = vec![tick([(100, 0), (100, 0)]); 20];
    ticks[4] = tick([(100, 8), (100, 0)]);
    let known = background_of(&ticks, 15.0, MARGIN);
    assert_eq!(known.rate(), Some(3.0 / 4_000.0));
    assert!(known.bursty());
}
