//! The evidence against the past as plain numbers: behind those of the comparison, where there is some.

use super::CheckpointError;
use crate::stats::background::{Background, Bursts};
use crate::stats::evidence::Stand;
use crate::stats::settings::Settings;
use crate::stats::without_baseline::Alone;

/// Visits every number of it but the past, in one fixed order, to write or to read it.
fn visit_all(alone: &mut Alone, visit: &mut dyn FnMut(&mut f64)) {
    alone.process.weights.iter_mut().for_each(&mut *visit);
    visit(&mut alone.process.log_wealth);
    let guard = &mut alone.guard;
    let mut narrow = |value: &mut f32| {
        let mut wide = f64::from(*value);
        visit(&mut wide);
        *value = wide as f32;
    };
    for tick in &mut guard.last {
        let [candidate, baseline] = &mut tick.rates;
        [&mut tick.seconds, &mut tick.gain, candidate, baseline]
            .into_iter()
            .for_each(&mut narrow);
    }
    narrow(&mut guard.largest);
    narrow(&mut guard.waiting.seconds);
    narrow(&mut guard.waiting.waited);
    alone.withheld.iter_mut().for_each(narrow);
    for count in guard.waiting.counts.iter_mut().flatten() {
        let mut wide = f64::from(*count);
        visit(&mut wide);
        *count = wide as u32;
    }
    for few in [&mut guard.touched, &mut guard.lasting] {
        let mut wide = f64::from(*few);
        visit(&mut wide);
        *few = wide as u8;
    }
    let mut failed = f64::from(u8::from(alone.failed));
    visit(&mut failed);
    alone.failed = failed != 0.0;
}

/// Its numbers.
pub(super) fn reals(alone: &Alone) -> Vec<f64> {
    let past = alone.past;
    let bursts = match (past.calm(), past.bursty()) {
        (true, _) => 1.0,
        (false, true) => 2.0,
        (false, false) => 0.0,
    };
    let mut values = vec![
        alone.usual(),
        past.dispersion(),
        past.burst_ticks() as f64,
        past.tick_seconds(),
        past.pod_spread(),
        bursts,
    ];
    visit_all(&mut alone.clone(), &mut |value| values.push(*value));
    values
}

/// What the candidate stands against, by the two flags that say so: whether it is alone, and whether there is evidence
/// against the past, whose numbers these are.
pub(super) fn stand(settings: &Settings, flags: (u64, u64), from: &[f64]) -> Result<Stand, CheckpointError> {
    match (flags, from) {
        ((1, 1), from) => Ok(Stand::Alone(Some(Box::new(read(settings, from)?)))),
        ((1, _), []) => Ok(Stand::Alone(None)),
        ((_, 0), []) => Ok(Stand::Beside),
        _ => Err(CheckpointError::Shape),
    }
}

/// What these numbers are of, under these settings.
fn read(settings: &Settings, from: &[f64]) -> Result<Alone, CheckpointError> {
    let (&[rate, dispersion, burst, tick, spread, bursts], rest) =
        from.split_first_chunk().ok_or(CheckpointError::Shape)?;
    let past = Background::new(Some(rate), dispersion, burst as usize, spread)
        .with_tick_seconds(tick)
        .with_bursts(match bursts {
            1.0 => Bursts::None,
            2.0 => Bursts::Seen,
            _ => Bursts::Unknown,
        });
    let mut alone = Alone::new(settings, past).ok_or(CheckpointError::Value)?;
    let (mut input, mut complete) = (rest.iter().copied(), true);
    visit_all(&mut alone, &mut |value| match input.next() {
        Some(read) => *value = read,
        None => complete = false,
    });
    if complete && input.next().is_none() {
        Ok(alone)
    } else {
        Err(CheckpointError::Shape)
    }
}
