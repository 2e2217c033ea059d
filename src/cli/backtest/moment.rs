//! Moments as people write them.

use jiff::tz::TimeZone;

use crate::engine::Moment;

/// `2026-10-02T14:00:00Z` (or with an offset), `2h ago`, `1d 12h ago`, `now`.
pub(super) fn moment(text: &str, now: Moment) -> Result<Moment, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Ok(moment) = text.parse::<Moment>() {
        return Ok(moment);
    }
    let wrong = || format!("`{}` is not a moment", text.chars().take(40).collect::<String>());
    if !text.ends_with("ago") {
        return Err(wrong());
    }
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let then = now.to_zoned(TimeZone::UTC).checked_add(span);
    then.map(|then| then.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_ago() {
        let now: Moment = "2026-10-02T14:00:00Z".parse().unwrap();
        for (text, wanted) in [
            ("2026-10-02T12:30:00Z", "2026-10-02T12:30:00Z"),
            ("2026-10-02T14:30:00+02:00", "2026-10-02T12:30:00Z"),
            ("2h ago", "2026-10-02T12:00:00Z"),
            ("90m ago", "2026-10-02T12:30:00Z"),
            ("1d 2h ago", "2026-10-01T12:00:00Z"),
            ("4w ago", "2026-09-04T14:00:00Z"),
            ("30 days ago", "2026-09-02T14:00:00Z"),
            (" now ", "2026-10-02T14:00:00Z"),
        ] {
            assert_eq!(moment(text, now).unwrap().to_string(), wanted, "{text}");
        }
        for wrong in [
            "",
            "2h",
            "yesterday",
            "ago",
            "-2h",
            "2026-10-02",
            "99999999999d ago",
        ] {
            assert!(moment(wrong, now).is_err(), "{wrong}");
        }
    }
}
