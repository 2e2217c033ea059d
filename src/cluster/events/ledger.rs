//! What was told before: decides whether a notice is a new event, one more of a series, or nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Notice, REPEAT};

/// Words that are remembered; the oldest go first.
const MEMORY: usize = 1024;
/// A series is written at most this often.
const COUNT_EVERY: Duration = Duration::from_mins(1);

/// What to do with a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A new event of this name.
    Create { name: String },
    /// The event of this name happened `count` times.
    Count { name: String, count: i32 },
    /// Counted, and not written now.
    Suppress,
}

#[derive(Debug)]
struct Entry {
    name: String,
    count: i32,
    last: Timestamp,
    written: Timestamp,
}

/// The memory of one process.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<Notice, Entry>,
    counter: u64,
}

impl Ledger {
    /// What to do with `notice`, which comes at `now`.
    pub(super) fn step(&mut self, notice: &Notice, now: Timestamp) -> Step {
        let fresh = |entry: &&mut Entry| since(entry.last, now) < REPEAT;
        if let Some(entry) = self.entries.get_mut(notice).filter(fresh) {
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
            if since(entry.written, now) < COUNT_EVERY {
                return Step::Suppress;
            }
            entry.written = now;
            return Step::Count {
                name: entry.name.clone(),
                count: entry.count,
            };
        }
        self.counter += 1;
        let name = name(&notice.regarding.name, now, self.counter);
        let entry = Entry {
            name: name.clone(),
            count: 1,
            last: now,
            written: now,
        };
        self.entries.insert(notice.clone(), entry);
        self.shrink(now);
        Step::Create { name }
    }

    /// The event of `notice` is not there any more.
    pub(super) fn forget(&mut self, notice: &Notice) {
        self.entries.remove(notice);
    }

    fn shrink(&mut self, now: Timestamp) {
        self.entries.retain(|_, entry| since(entry.last, now) < REPEAT);
        while self.entries.len() > MEMORY {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last);
            let Some(oldest) = oldest.map(|(notice, _)| notice.clone()) else {
                return;
            };
            self.entries.remove(&oldest);
        }
    }
}

/// A clock that was set back makes everything recent, not an error.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// `<object>.<time><counter>` in hexadecimal digits: unique within a process by the counter, between two by the time.
fn name(object: &str, now: Timestamp, counter: u64) -> String {
    // 253 characters are allowed; the object's name gives way.
    let object: String = object.chars().take(220).collect();
    let object = object.trim_end_matches(['-', '.']);
    format!("{object}.{:x}{:04x}", now.as_nanosecond(), counter & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn notice(note: &str) -> Notice {
        Notice {
            regarding: super::super::Reference {
                name: "checkout".into(),
                ..Default::default()
            },
            related: None,
            reason: "WeightChanged".into(),
            action: "Shift",
            warning: false,
            note: note.into(),
        }
    }

    #[test]
    fn other_words_are_another_event() {
        let mut ledger = Ledger::default();
        let ten = ledger.step(&notice("10 %"), at(0));
        let more = ledger.step(&notice("25 %"), at(0));
        assert!(matches!((&ten, &more), (Step::Create { name: a }, Step::Create { name: b }) if a != b));
        assert_eq!(
            ten,
            Ledger::default().step(&notice("10 %"), at(0)),
            "deterministic"
        );
    }

    #[test]
    fn the_same_words_are_counted_and_seldom_written() {
        let mut ledger = Ledger::default();
        let Step::Create { name } = ledger.step(&notice("x"), at(0)) else {
            panic!("new");
        };
        for second in 1..60 {
            assert_eq!(ledger.step(&notice("x"), at(second)), Step::Suppress);
        }
        assert_eq!(ledger.step(&notice("x"), at(60)), Step::Count { name, count: 61 });
        assert_eq!(ledger.step(&notice("x"), at(61)), Step::Suppress);
        assert!(matches!(
            ledger.step(&notice("x"), at(61 + 600)),
            Step::Create { .. }
        ));
    }

    #[test]
    fn a_clock_set_back_and_a_lost_event_do_no_harm() {
        let mut ledger = Ledger::default();
        ledger.step(&notice("x"), at(100));
        assert_eq!(ledger.step(&notice("x"), at(0)), Step::Suppress);
        ledger.forget(&notice("x"));
        assert!(matches!(ledger.step(&notice("x"), at(1)), Step::Create { .. }));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut ledger = Ledger::default();
        for n in 0..3000 {
            ledger.step(&notice(&n.to_string()), at(n / 10));
        }
        assert_eq!(ledger.entries.len(), MEMORY);
    }

    #[test]
    fn a_name_fits_the_api() {
        let name = name(&"a".repeat(253), at(0), 70_000);
        assert!(name.len() <= 253, "{}", name.len());
        assert!(name.chars().all(|c| c.is_ascii_hexdigit() || c == '.'));
    }
}
