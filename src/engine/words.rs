//! One sentence for every verdict, made from the numbers alone: status, events, CLI and demo all say the same.

use super::quantity::Weight;
use crate::stats::leak::Growth;
use crate::stats::saturation::{Cost, Fits, Outlook};
use crate::stats::{Against, Amiss, Assessment, Counts, Evidenced, Ratio, Verdict, Warming};

/// Why nothing advances.
pub const IDLE: &str =
    "no request has reached the candidate for two and a half minutes: nothing advances meanwhile";

/// What is left when the baseline gets no request any more.
const GONE: &str = "nothing comes to the baseline any more: only what is far worse than the past counts";

/// The same where there is no past to speak of.
const LOST: &str = "nothing comes to the baseline any more, and the past tells too little to compare it with: it is not \
                    judged until something does";

/// Why evidence does not grow while pods that came in mid-step are young.
const YOUNG: &str = "new pods warm up: only gross faults count meanwhile";

/// The same where the whole step has just begun.
const FRESH: &str = "the step warms up: only gross faults count meanwhile";

/// What the judge says of one metric, for example
/// `error-rate 2.1 % (31/1,480) against 0.11 % (15/13,302) beside it: 19× (9.4–38×); evidence 9.3 of 4.6 needed`, or with
/// all traffic on the candidate `error-rate 2.1 % (31/1,480) with nothing beside it, 0.11 % in the past: up to 0.83 % is let
/// through; evidence against it 9.3 of 4.6 needed`.
pub fn sentence(metric: &str, seen: &Assessment) -> String {
    told(metric, seen, true)
}

/// The same in a bake, or while traffic returns: the proof came before, and only what speaks against the candidate still
/// counts.
pub fn watched(metric: &str, seen: &Assessment) -> String {
    told(metric, seen, false)
}

/// `awaited`: the weight is left by proof.
fn told(metric: &str, seen: &Assessment, awaited: bool) -> String {
    let (candidate, baseline) = (seen.in_step.candidate, seen.in_step.baseline);
    if candidate.requests == 0 && baseline.requests == 0 {
        return format!("{metric}: no request yet");
    }
    match seen.against {
        Against::Past { usual, limit } => {
            return format!(
                "{metric} {} with nothing beside it, {} in the past: up to {} is let through; {}",
                rate(candidate),
                percent(usual),
                percent(limit),
                against(seen)
            );
        }
        Against::Nothing if seen.amiss != Some(Amiss::BaselineGone) => {
            return format!("{metric} {}: {UNKNOWN}", rate(candidate));
        }
        Against::Nothing if seen.verdict != Verdict::Fail => {
            return format!("{metric} {}: {LOST}", rate(candidate));
        }
        // What is not judged any more fails with others, by what was seen beside the baseline.
        Against::Beside | Against::Nothing => {}
    }
    let ratio = seen
        .ratio
        .map(|ratio| format!(": {}", times(&ratio)))
        .unwrap_or_default();
    format!(
        "{metric} {} against {} beside it{ratio}; {}",
        rate(candidate),
        rate(baseline),
        standing(seen, awaited)
    )
}

/// Why a candidate with all traffic is not judged by a metric.
const UNKNOWN: &str = "nothing runs beside the candidate, and the past tells too little to compare it with";

/// Why a metric holds a candidate with all traffic, and what to do.
pub fn not_judged(metric: &str) -> String {
    format!("{metric}: {UNKNOWN}: abort, and raise `spec.analysis.baseline.bakeShare` for the next release")
}

/// Why a metric that can be read again is no evidence yet.
pub fn not_moved(metric: &str) -> String {
    format!("{metric}: the metrics can be read again, but no request has been counted since")
}

/// Why its first reading is none: it may be of what was known before the metrics were away.
pub fn back(metric: &str) -> String {
    format!("{metric}: the metrics can be read again, and the next reading tells whether they are of now")
}

/// Why no release can begin that ends with all traffic on the candidate, and what to do.
pub fn unfit_alone(metric: &str, usual: f64) -> String {
    format!(
        "metric `{metric}`: {} of its requests are bad as a rule, so that nothing would be far worse when only the past is \
         left to compare with: raise `spec.analysis.baseline.bakeShare` above 0, or set `gating: false`",
        percent(usual)
    )
}

/// What so little traffic can prove.
pub fn thin(pace: f64, rate: f64) -> String {
    format!(
        "at {} requests a second this release can only prove a rate below {}",
        digits(pace),
        percent(rate)
    )
}

/// What the pods will use of a gauge, for example
/// `cpu: at 25 % each pod would use 93 % of its limit, where 80 % is the most: 3 pods would suffice`.
pub fn saturated(gauge: &str, seen: &Outlook) -> String {
    let (weight, limit) = (digits(seen.weight), percent(seen.limit));
    let next = format!(
        "{gauge}: at {weight} % each pod would use {}",
        percent(seen.forecast)
    );
    let range = if seen.upper > seen.limit && seen.forecast <= seen.limit {
        format!(" (up to {})", percent(seen.upper))
    } else {
        String::new()
    };
    let all = format!(
        "{gauge}: at 100 % each pod would use {} of its limit",
        percent(seen.full)
    );
    if let (Fits::Warn, Some(steep)) = (seen.fits, seen.if_it_follows) {
        let (steep, same) = (
            percent(steep),
            "if it followed the traffic, which it has not shown",
        );
        return format!("{next} of its limit; {same}, it would be {steep}, where {limit} is the most");
    }
    match (seen.fits, seen.pods) {
        (Fits::Yes, _) => format!("{next} of its limit"),
        (Fits::Warn, _) if seen.upper <= seen.limit => format!("{all}, where {limit} is the most"),
        (Fits::Warn, _) => {
            format!("{next}{range} of its limit, where {limit} is the most; that is too vague to hold for")
        }
        (Fits::Unsure, _) => {
            format!("{next}{range} of its limit, where {limit} is the most; more readings will tell")
        }
        (Fits::No, Some(pods)) => {
            format!("{next}{range} of its limit, where {limit} is the most: {pods} pods would suffice")
        }
        (Fits::No, None) => {
            format!("{next}{range} of its limit, where {limit} is the most, and more pods do not help")
        }
    }
}

/// What a pod loses, for example
/// `memory: each pod grows by 32 % of its limit an hour beyond those beside it; the fullest is at 61 % and has 44 min`.
pub fn leaking(gauge: &str, seen: &Growth) -> String {
    format!(
        "{gauge}: each pod grows by {} of its limit an hour beyond those beside it; the fullest is at {} and has {}",
        percent(seen.hourly),
        percent(seen.used),
        span(seen.until)
    )
}

/// What a request costs, for example `cpu: a request costs 1.4× (1.3–1.6×) what it costs beside it`.
pub fn costly(gauge: &str, cost: &Cost) -> String {
    format!(
        "{gauge}: a request costs {}× ({}–{}×) what it costs beside it",
        digits(cost.ratio),
        digits(cost.low),
        digits(cost.high)
    )
}

/// The rate of an arm with its counts.
pub fn rate(counts: Counts) -> String {
    let share = counts.rate().map_or_else(|| "–".to_owned(), percent);
    format!("{share} ({}/{})", grouped(counts.bad), grouped(counts.requests))
}

/// The ratio with its interval.
pub fn times(ratio: &Ratio) -> String {
    let estimate = ratio
        .estimate
        .map_or_else(|| ">100×".to_owned(), |estimate| format!("{}×", digits(estimate)));
    let high = ratio.high.map_or_else(|| "∞".to_owned(), digits);
    format!("{estimate} ({}–{high}×)", digits(ratio.low))
}

/// What evidence at a weight waits for; `young`: pods that came in mid-step are still warming up.
pub fn waits_for(weight: Weight, young: bool) -> String {
    let evidence = format!("evidence at {weight}");
    if young {
        format!("{evidence}; {YOUNG}")
    } else {
        evidence
    }
}

/// Where the evidence stands, and what is missing.
fn standing(seen: &Assessment, awaited: bool) -> String {
    let stands = stands(seen, awaited);
    let stands = match seen.amiss {
        _ if seen.idle => format!("{stands}; {IDLE}"),
        Some(Amiss::BaselineGone) if seen.against == Against::Beside => format!("{stands}; {GONE}"),
        Some(Amiss::BaselineGone | Amiss::SharedFault) | None => stands,
    };
    match seen.warming {
        Some(Warming::Pods) if seen.verdict == Verdict::Continue => format!("{stands}; {YOUNG}"),
        // Else nobody would see why so little speaks against it.
        Some(Warming::Step) if seen.verdict == Verdict::Continue && is_plainly_worse(seen) => {
            format!("{stands}; {FRESH}")
        }
        Some(Warming::Pods | Warming::Step) | None => stands,
    }
}

fn stands(seen: &Assessment, awaited: bool) -> String {
    match seen.verdict {
        Verdict::Fail => against(seen),
        Verdict::Pass => format!("evidence for it {} needed", reaches(seen.step)),
        Verdict::Continue if seen.suspicion.reached() => {
            let suspicion = format!(
                "it looks worse over the release (suspicion {:.1}, where {:.1} keeps the weight)",
                seen.suspicion.evidence, seen.suspicion.needed
            );
            if is_plainly_worse(seen) {
                format!("{suspicion}; {}", against(seen))
            } else {
                suspicion
            }
        }
        Verdict::Continue if seen.amiss == Some(Amiss::SharedFault) => {
            "both arms are far worse than usual: nothing advances meanwhile".to_owned()
        }
        // What is missing for a proof is of no interest where none is awaited, or where it plainly fails.
        Verdict::Continue if !awaited || is_plainly_worse(seen) => against(seen),
        // No number of requests would do, and none is foreseen.
        Verdict::Continue if seen.amiss == Some(Amiss::BaselineGone) => open(seen),
        Verdict::Continue => {
            let evidence = open(seen);
            match (seen.missing.requests, seen.missing.seconds) {
                (Some(requests), Some(seconds)) => {
                    format!(
                        "{evidence}, about {} requests ({}) missing",
                        grouped(requests),
                        span(seconds)
                    )
                }
                (Some(requests), None) => format!("{evidence}, about {} requests missing", grouped(requests)),
                (None, _) if seen.in_step.baseline.requests == 0 => {
                    format!("{evidence}, and no request beside it to compare with")
                }
                (None, _) => format!("{evidence}, and at these rates no number of requests suffices"),
            }
        }
    }
}

/// Evidence beside what is needed of it, in tenths of a nat: `0.6 of 0.7`. The two are alike only where it suffices.
pub fn reaches(seen: Evidenced) -> String {
    let tenths = |nats: f64| (nats * 10.0).round() / 10.0;
    let (shown, needed) = (tenths(seen.evidence), tenths(seen.needed));
    let shown = if seen.reached() {
        shown.max(needed)
    } else {
        shown.min(needed - 0.1)
    };
    // No "-0.0".
    let shown = shown + 0.0;
    format!("{shown:.1} of {needed:.1}")
}

/// Evidence below nothing is of no interest to who reads a sentence.
const fn at_least_none(seen: Evidenced) -> Evidenced {
    Evidenced {
        evidence: seen.evidence.max(0.0),
        ..seen
    }
}

/// Whether it looks like a regression that is not convicted yet.
fn is_plainly_worse(seen: &Assessment) -> bool {
    seen.fail.evidence > 0.0 || seen.ratio.is_some_and(|ratio| ratio.low > 1.0)
}

/// How much speaks against it.
fn against(seen: &Assessment) -> String {
    let whose = if seen.together { " of all metrics" } else { "" };
    format!(
        "evidence{whose} against it {} needed",
        reaches(at_least_none(seen.fail))
    )
}

/// The proof that is not there yet: of the step, or else of the whole release.
fn open(seen: &Assessment) -> String {
    let (proof, scope) = if seen.step.reached() && !seen.release.reached() {
        (seen.release, " over the whole release")
    } else {
        (seen.step, "")
    };
    format!("evidence for it{scope} {} needed", reaches(at_least_none(proof)))
}

/// A share as per cent with two significant digits.
pub fn percent(share: f64) -> String {
    format!("{} %", digits(share * 100.0))
}

/// Seconds as people say them.
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// What a weight needs: `1 ready candidate pod is needed`.
pub fn ready_pods(needed: u32) -> String {
    let (pods, are) = if needed == 1 {
        ("pod", "is")
    } else {
        ("pods", "are")
    };
    format!("{needed} ready candidate {pods} {are} needed")
}

/// How many requests come: `15 requests/s`.
pub fn requests(per_second: f64) -> String {
    format!("{} requests/s", digits(per_second))
}

/// How long a request took: `250 ms`, `2.5 s`.
pub fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{} ms", (seconds * 1e6).round() / 1e3)
    } else {
        format!("{} s", (seconds * 1e3).round() / 1e3)
    }
}

/// Two significant digits, without an exponent.
fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let places = (1.0 - value.abs().log10().floor()).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
