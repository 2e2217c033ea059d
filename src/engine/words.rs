//! One sentence for every verdict, made from the numbers alone: status, events, CLI and demo all say the same.

use crate::stats::{Assessment, Counts, Ratio, Verdict};

/// What the judge says of one metric, for example
/// `error-rate 2.1 % (31/1,480) against 0.11 % (15/13,302) beside it: 19× (9.4–38×); evidence 9.3 of 4.6 needed`.
pub fn sentence(metric: &str, seen: &Assessment) -> String {
    let (candidate, baseline) = (seen.in_step.candidate, seen.in_step.baseline);
    if candidate.requests == 0 && baseline.requests == 0 {
        return format!("{metric}: no request yet");
    }
    let ratio = seen
        .ratio
        .map(|ratio| format!(": {}", times(&ratio)))
        .unwrap_or_default();
    format!(
        "{metric} {} against {} beside it{ratio}; {}",
        rate(candidate),
        rate(baseline),
        standing(seen)
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

/// Where the evidence stands, and what is missing.
fn standing(seen: &Assessment) -> String {
    match seen.verdict {
        Verdict::Fail => format!(
            "evidence against it {:.1} of {:.1} needed",
            seen.fail.evidence, seen.fail.needed
        ),
        Verdict::Pass => format!(
            "evidence for it {:.1} of {:.1} needed",
            seen.step.evidence, seen.step.needed
        ),
        Verdict::Continue if seen.suspicion => {
            format!(
                "some evidence against it ({:.1} of {:.1}): the weight is kept",
                seen.fail.evidence.max(0.0),
                seen.fail.needed
            )
        }
        Verdict::Continue if seen.environment => {
            "both arms are far worse than usual: nothing advances meanwhile".to_owned()
        }
        Verdict::Continue => {
            let evidence = format!(
                "evidence for it {:.1} of {:.1} needed",
                seen.step.evidence, seen.step.needed
            );
            match (seen.missing.requests, seen.missing.seconds) {
                (Some(requests), Some(seconds)) => {
                    format!(
                        "{evidence}, about {} requests ({}) missing",
                        grouped(requests),
                        span(seconds)
                    )
                }
                (Some(requests), None) => format!("{evidence}, about {} requests missing", grouped(requests)),
                (None, _) => format!("{evidence}, and at these rates no number of requests suffices"),
            }
        }
    }
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
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_a_person_writes_them() {
        assert_eq!(percent(31.0 / 1480.0), "2.1 %");
        assert_eq!(percent(15.0 / 13302.0), "0.11 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(digits(38.4), "38");
        assert_eq!(grouped(13302), "13,302");
        assert_eq!(grouped(999), "999");
        assert_eq!(span(600.0), "10 min");
        assert_eq!(rate(Counts::new(1480, 31)), "2.1 % (31/1,480)");
    }
}
