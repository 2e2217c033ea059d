//! Whole releases, as a user meets them: the operator under the chart's rights, real pods, a real gateway, a real
//! Prometheus, and a client that counts every failure.

mod care;
mod course;
mod good;

use libtest_mimic::Trial;

pub(super) fn all() -> Vec<Trial> {
    good::all()
}
