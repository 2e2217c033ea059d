//! Numbers in words that need no statistics.

use crate::engine::words::{grouped, span};
use crate::rehearsal::{Share, Spread};
use crate::trials::scenario::Extra;

/// A share of the releases: one decimal, and never 0 or 100 where it is neither.
pub(super) fn share(value: f64) -> String {
    let text = format!("{:.1}", value * 100.0);
    match text.trim_end_matches('0').trim_end_matches('.') {
        "0" if value > 0.0 => "<0.1".to_owned(),
        "100" if value < 1.0 => ">99.9".to_owned(),
        "" => "0".to_owned(),
        short => short.to_owned(),
    }
}

/// What the number of releases leaves open, for example `99–99.9`.
pub(super) fn interval(seen: &Share) -> String {
    let bound = |value: f64| format!("{:.1}", value * 100.0);
    let short = |text: String| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    let text = |value: f64| match short(bound(value)) {
        empty if empty.is_empty() => "0".to_owned(),
        other => other,
    };
    format!("{}–{}", text(seen.low), text(seen.high))
}

/// Minutes, or hours where they are many: `25 min (19–38)`.
pub(super) fn minutes(seen: &Spread) -> String {
    let (factor, unit) = if seen.p90 >= 90.0 {
        (60.0, "h")
    } else {
        (1.0, "min")
    };
    let one = |value: f64| {
        let value = value / factor;
        if value < 10.0 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        }
    };
    let (low, middle, high) = (one(seen.p10), one(seen.p50), one(seen.p90));
    if low == high {
        format!("{middle} {unit}")
    } else {
        format!("{middle} {unit} ({low}–{high})")
    }
}

/// The middle alone.
pub(super) fn middle(seen: &Spread) -> String {
    span(seen.p50 * 60.0)
}

/// A setting's length, as it is written in YAML.
pub(super) fn setting(seconds: f64) -> String {
    crate::api::Duration::from_millis((seconds * 1000.0).round() as u64).to_string()
}

/// So many of something: `1 pod`, `4 pods`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// A count of requests.
pub(super) fn requests(value: f64) -> String {
    match value.round() as u64 {
        0 if value > 0.0 => "less than 1 request".to_owned(),
        1 => "1 request".to_owned(),
        many => format!("{} requests", grouped(many)),
    }
}

/// How often a rate is another: `4.2×`; nothing where that says nothing.
pub(super) fn times(rate: f64, baseline: f64) -> String {
    if baseline <= 0.0 {
        return String::new();
    }
    let ratio = rate / baseline;
    let text = if ratio < 9.95 {
        format!("{ratio:.1}")
    } else {
        grouped(ratio.round() as u64)
    };
    format!(" ({}×)", text.strip_suffix(".0").unwrap_or(&text))
}

/// What befalls the traffic of a scenario.
pub(super) const fn extra(extra: Extra) -> &'static str {
    match extra {
        // Those after it are the judge's own: no scenario by name has them.
        Extra::None
        | Extra::Late(..)
        | Extra::From(..)
        | Extra::OnAndOff(_)
        | Extra::Spikes
        | Extra::Falling
        | Extra::Waves
        | Extra::Burst(_)
        | Extra::ClumpsOf(..)
        | Extra::SlowStart(..) => "",
        Extra::Bursts(1) => "; now and then a burst of failures hits one version",
        Extra::Bursts(_) => "; now and then a minute of failures hits one version",
        Extra::Outage => "; for 5 min both fail a fifth of their requests",
        Extra::ColdStart => "; for a minute after each step the new one's caches are cold",
        Extra::Drift => "; traffic and the errors of both rise meanwhile",
        Extra::Clumps => "; each failure brings two more",
        Extra::Tipping => "; from half of the traffic on the new one fails 10 %",
        Extra::Leak => "; after 10 min the new one fails more and more",
    }
}

/// Requests a second.
pub(super) fn pace(value: f64) -> String {
    let number = if value.fract() == 0.0 {
        grouped(value as u64)
    } else {
        value.to_string()
    };
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} request{plural}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_short_and_honest() {
        for (value, want) in [
            (0.0, "0"),
            (1.0, "100"),
            (0.996, "99.6"),
            (0.43, "43"),
            (0.0001, "<0.1"),
            (0.9999, ">99.9"),
            (0.1, "10"),
        ] {
            assert_eq!(share(value), want);
        }
        assert_eq!(interval(&Share::of(996, 1000)), "99–99.9");
        assert_eq!(interval(&Share::of(0, 1000)), "0–0.4");
    }

    #[test]
    fn times_are_read_at_a_glance() {
        let spread = |p10, p50, p90| Spread {
            p10,
            p50,
            p90,
            mean: p50,
        };
        assert_eq!(minutes(&spread(18.7, 24.7, 38.4)), "25 min (19–38)");
        assert_eq!(minutes(&spread(1.2, 3.21, 9.96)), "3.2 min (1.2–10.0)");
        assert_eq!(minutes(&spread(60.0, 90.0, 150.0)), "1.5 h (1.0–2.5)");
        assert_eq!(
            (counted(1, "pod"), counted(2_000, "pod")),
            ("1 pod".to_owned(), "2,000 pods".to_owned())
        );
        assert_eq!(requests(0.36), "less than 1 request");
        assert_eq!(times(0.0042, 0.001), " (4.2×)");
        assert_eq!(times(0.5, 0.001), " (500×)");
        assert_eq!(times(0.5, 0.0), "");
    }
}
