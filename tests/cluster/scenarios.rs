//! All tests of this binary.

mod agreement;
mod crds;
mod gate;
mod ground;

use libtest_mimic::Trial;

/// Every scenario, by room.
pub(crate) fn all() -> Vec<Trial> {
    [agreement::all(), crds::all(), gate::all(), ground::all()]
        .into_iter()
        .flatten()
        .collect()
}
