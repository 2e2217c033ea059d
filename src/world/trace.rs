//! The list of API calls, for assertions and for comparing runs.

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;

/// How many calls are kept.
const KEPT: usize = 100_000;

/// One API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it was carried out, in the world's time.
    pub at: Timestamp,
    /// Who called.
    pub user: String,
    /// Kubernetes verb; `apply` for server-side apply.
    pub verb: String,
    /// Plural resource with its subresource (`rollouts/status`), empty for discovery.
    pub resource: String,
    /// Path and query.
    pub path: String,
    /// HTTP status; 0 when no answer was given.
    pub status: u16,
}

impl Call {
    /// Whether the call may change something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {}",
            self.at, self.user, self.verb, self.path, self.status
        )
    }
}

/// The newest calls.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) calls: VecDeque<Call>,
}

impl Trace {
    pub(super) fn record(&mut self, call: Call) {
        if self.calls.len() == KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }
}
