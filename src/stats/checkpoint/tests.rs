use super::*;
use crate::stats::evidence::Stand;
use crate::stats::without_baseline::Alone;
use crate::stats::{Counts, Tick};

fn past(bursts: Bursts) -> Background {
    Background::new(Some(0.001), 1.5, 7, 0.25)
        .with_tick_seconds(30.0)
        .with_bursts(bursts)
}

fn observed() -> Evidence {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    for at in 0..9 {
        evidence.observe(Tick::new(
            Counts::new(40, at % 5 % 2),
            Counts::new(360, at % 3),
            15.0,
        ));
    }
    evidence
}

/// A release that now goes on without a baseline.
fn alone(bursts: Bursts) -> Evidence {
    let mut evidence = observed().with_background(past(bursts));
    evidence.begin_alone();
    evidence
}

fn resumed(from: &Checkpoint) -> Result<Evidence, CheckpointError> {
    Evidence::resume(Settings::default(), from)
}

#[test]
fn every_number_of_the_state_outlives_a_restart() {
    let mut evidence = observed().with_background(past(Bursts::Seen));
    // Another value in each place, so that no two can be mistaken for each other.
    let mut next = 0.0;
    reals(&mut evidence, &mut |it| {
        next += 1.0;
        *it = next;
    });
    let mut next = 100;
    wholes(&mut evidence, &mut |it| {
        next += 1;
        *it = next;
    });
    let given = Arc::make_mut(&mut evidence.given);
    (given.pace, given.release_floor) = (Some(12.0), 0.0625);
    evidence.in_release.candidate = Counts::new(4_000, 31);
    evidence.in_release.baseline = Counts::new(5_000, 32);
    evidence.in_step.candidate = Counts::new(2_000, 33);
    evidence.in_step.baseline = Counts::new(3_000, 34);
    let back = resumed(&evidence.checkpoint()).unwrap();
    assert_eq!(back, evidence);
}

#[test]
fn each_flag_has_a_bit_of_its_own_for_ever() {
    let plain = Flags::default();
    let with = |change: fn(&mut Flags)| {
        let mut flags = plain;
        change(&mut flags);
        flags
    };
    for (flags, bits) in [
        (plain, 0),
        (with(|it| it.last = true), 1),
        (with(|it| it.failed = true), 2),
        (with(|it| it.amiss = Some(Amiss::SharedFault)), 4),
        (with(|it| it.amiss = Some(Amiss::BaselineGone)), 512),
        (with(|it| it.warming = Some(Warming::Step)), 8),
        (with(|it| it.warming = Some(Warming::Pods)), 8 + 256),
    ] {
        for (bursts, past_bits) in [(Bursts::Unknown, 0), (Bursts::None, 16), (Bursts::Seen, 32)] {
            let mut evidence = observed().with_background(past(bursts));
            evidence.flags = flags;
            let kept = evidence.checkpoint();
            assert_eq!(kept.wholes[1], bits + past_bits, "{flags:?} {bursts:?}");
            assert_eq!(resumed(&kept), Ok(evidence), "{flags:?} {bursts:?}");
        }
    }
}

#[test]
fn a_candidate_alone_goes_on_where_it_was() {
    for bursts in [Bursts::Unknown, Bursts::None, Bursts::Seen] {
        let mut evidence = alone(bursts);
        for bad in [0, 0, 40, 40, 0].into_iter().chain([400; 30]) {
            let kept = evidence.checkpoint();
            assert_eq!(kept.wholes[1] & 0xC0, 0xC0);
            assert_eq!(resumed(&kept).as_ref(), Ok(&evidence), "{bursts:?}");
            evidence.observe(Tick::new(Counts::new(400, bad), Counts::default(), 30.0));
        }
        assert!(evidence.past_on_trial().is_some_and(|it| it.failed));
        assert_eq!(resumed(&evidence.checkpoint()), Ok(evidence));
    }
    // Nothing to compare it with.
    let mut unknown = Evidence::new(Settings::default());
    unknown.begin_alone();
    let kept = unknown.checkpoint();
    assert_eq!(kept.wholes[1] & 0xC0, 0x40);
    assert_eq!(resumed(&kept), Ok(unknown));
}

#[test]
fn every_number_of_the_evidence_against_the_past_is_kept_behind_the_past_itself() {
    let mut kept = Alone::new(&Settings::default(), past(Bursts::Seen)).unwrap();
    kept.process.weights = [1.0, 2.0, 3.0, 4.0];
    kept.process.log_wealth = 5.0;
    let mut next = 5.0;
    for seen in &mut kept.guard.last {
        (seen.seconds, seen.gain, seen.rates) = (next + 1.0, next + 2.0, [next + 3.0, next + 4.0]);
        next += 4.0;
    }
    (kept.guard.largest, kept.guard.waiting.seconds) = (30.0, 31.0);
    kept.guard.waiting.waited = 32.0;
    kept.guard.waiting.counts = [[36, 37], [38, 39]];
    kept.withheld = [33.0, 34.0, 35.0];
    (kept.guard.touched, kept.guard.lasting, kept.failed) = (40, 41, true);
    let numbers = without_baseline::reals(&kept);
    let want: Vec<f64> = [0.001, 1.5, 7.0, 30.0, 0.25, 2.0]
        .into_iter()
        .chain((1..=41).map(f64::from))
        .chain([1.0])
        .collect();
    assert_eq!(numbers, want);
    let read = |flags, numbers: &[f64]| without_baseline::stand(&Settings::default(), flags, numbers);
    assert_eq!(read((1, 1), &numbers), Ok(Stand::Alone(Some(Box::new(kept)))));
    // Neither one less nor one more.
    let mut more = numbers.clone();
    more.push(0.0);
    for wrong in [
        &numbers[..numbers.len() - 1],
        &numbers[..6],
        &numbers[..5],
        &[],
        &more,
    ] {
        assert_eq!(
            read((1, 1), wrong),
            Err(CheckpointError::Shape),
            "{}",
            wrong.len()
        );
    }
    // A past so bad that nothing could be called worse.
    let mut bad = numbers;
    bad[0] = 0.5;
    assert_eq!(read((1, 1), &bad), Err(CheckpointError::Value));
}

#[test]
fn flags_and_numbers_must_agree_on_whether_the_candidate_is_alone() {
    let read = |flags, numbers: &[f64]| without_baseline::stand(&Settings::default(), flags, numbers);
    assert_eq!(read((0, 0), &[]), Ok(Stand::Beside));
    assert_eq!(read((1, 0), &[]), Ok(Stand::Alone(None)));
    let numbers = without_baseline::reals(&Alone::new(&Settings::default(), past(Bursts::None)).unwrap());
    for (flags, numbers) in [
        ((0, 1), numbers.as_slice()),
        ((0, 0), &numbers),
        ((1, 0), &numbers),
        ((0, 1), &[]),
    ] {
        assert_eq!(read(flags, numbers), Err(CheckpointError::Shape), "{flags:?}");
    }
}

#[test]
fn what_no_evidence_can_have_is_made_possible_or_refused() {
    let good = observed().checkpoint();
    let changed = |change: fn(&mut Checkpoint)| {
        let mut other = good.clone();
        change(&mut other);
        resumed(&other)
    };
    // Behind the numbers of the comparison: rate, dispersion, spread, seconds of a tick, pace, floor.
    let at = |from_end: usize| good.reals.len() - from_end;
    assert_eq!((good.reals[at(6)], good.reals[at(2)]), (-1.0, -1.0));
    let no_traffic = changed(|it| {
        let pace = it.reals.len() - 2;
        it.reals[pace] = 0.0;
    });
    assert_eq!(no_traffic.map(|it| it.given.pace), Ok(None));
    // Pods, and a tick count that is kept in a byte.
    assert_eq!(
        changed(|it| it.wholes[3] = 0).map(|it| it.given.candidate_pods),
        Ok(1)
    );
    let most = changed(|it| it.wholes[3] = u64::MAX);
    assert_eq!(most.map(|it| it.given.candidate_pods), Ok(u32::MAX));
    assert_eq!(
        changed(|it| it.wholes[8] = 256).map(|it| it.guard.touched),
        Ok(u8::MAX)
    );
}
