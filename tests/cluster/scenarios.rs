//! All tests of this binary.

mod agreement;
mod crds;
mod gate;
mod ground;
mod parity;
mod release;

use libtest_mimic::Trial;

/// Every scenario, by room.
pub(crate) fn all() -> Vec<Trial> {
    let rooms = [
        agreement::all(),
        crds::all(),
        gate::all(),
        ground::all(),
        parity::all(),
        release::all(),
    ];
    rooms.into_iter().flatten().collect()
}
