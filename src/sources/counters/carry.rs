//! Bad requests whose requests are counted by another job: their totals may appear one reading earlier or later.

/// Bad requests of one arm whose total has not been read yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carry {
    waiting: u64,
    /// How many of them have already waited for one reading.
    late: u64,
}

impl Carry {
    /// How many bad requests a reading with so many `requests` has, where `bad` have come since the one before; those that
    /// exceed its requests are carried to the next reading that has requests and no further, so that a query that counts
    /// more bad requests than there are cannot build up a backlog. Those after a step's last reading count in the next
    /// step's first.
    pub const fn take(&mut self, requests: u64, bad: u64) -> u64 {
        let all = self.waiting.saturating_add(bad);
        let (counted, left) = if all > requests {
            (requests, all - requests)
        } else {
            (all, 0)
        };
        self.waiting = left;
        if requests > 0 {
            let new = all.saturating_sub(self.late);
            self.late = if left < new { left } else { new };
            self.waiting = self.late;
        }
        counted
    }
}
