//! All tests of this binary.

mod crds;
mod gate;
mod ground;

use libtest_mimic::Trial;

/// Every scenario, by room.
pub(crate) fn all() -> Vec<Trial> {
    [crds::all(), gate::all(), ground::all()]
        .into_iter()
        .flatten()
        .collect()
}
