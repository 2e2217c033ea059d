//! Whole releases, as a user meets them: the operator under the chart's rights, real pods, a real gateway, a real
//! Prometheus, and a client that counts every failure.

mod bad_input;
mod care;
mod course;
mod good;
mod outages;
mod people;
mod taken_back;
mod tidied_up;

use libtest_mimic::Trial;

pub(super) fn all() -> Vec<Trial> {
    let files = [
        bad_input::all(),
        good::all(),
        taken_back::all(),
        people::all(),
        outages::all(),
        tidied_up::all(),
        taken_back::late(),
    ];
    files.into_iter().flatten().collect()
}
