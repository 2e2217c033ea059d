//! The world's clock: a fixed beginning plus tokio's time, so that it stands still when tokio's does.

use std::sync::Arc;

use jiff::Timestamp;

use super::state::Shared;
use crate::ports::Clock;

/// The world's wall clock.
#[derive(Clone)]
pub struct VirtualClock {
    pub(super) shared: Arc<Shared>,
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.shared.now()
    }
}
