//! A deletion in progress.

use serde::{Deserialize, Serialize};

use super::{Served, served};
use crate::engine::quantity::{Moment, Revision, Weight};

/// A Rollout going away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// When it was seen.
    pub entered: Moment,
    /// The revision that must serve before traffic returns: in mid-promotion the approved one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Revision>,
    /// Nobody proved `approved`: it is the template that the owner wants shipped.
    #[serde(default)]
    pub ships: bool,
    /// The candidate's committed weight.
    pub weight: Weight,
    /// A candidate may have borne traffic just before it began, so connections must be drained.
    pub drain: bool,
    /// Requests that came at weight zero when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Served>,
    /// Whose these were, so that a new process goes on to look for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
}

impl Removal {
    /// Every moment that something is counted from.
    pub(super) fn moments(&mut self) -> Vec<&mut Moment> {
        let watched = self.watched.as_mut().map(|watched| &mut watched.since);
        let told = served::told(&mut self.served);
        watched
            .into_iter()
            .chain(told)
            .chain([&mut self.entered])
            .collect()
    }
}

/// A candidate that should get no request any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watched {
    /// Its revision.
    pub revision: Revision,
    /// Since when.
    pub since: Moment,
}
