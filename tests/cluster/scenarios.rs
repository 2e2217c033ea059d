//! All tests of this binary.

mod ground;

use libtest_mimic::Trial;

/// Every scenario, by room.
pub(crate) fn all() -> Vec<Trial> {
    [ground::all()].into_iter().flatten().collect()
}
