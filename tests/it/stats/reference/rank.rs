//! The rank test of Mann and Whitney, on the U and its deviation from which the peer's shift comes.

use serin::stats::special::normal_above;
use serin::trials::rank::{deviation, u_statistic};

/// The probability of a U at least as large (`greater`) or as far from its mean by the normal approximation.
pub(crate) fn p_value(x: &[f64], y: &[f64], greater: bool, continuity: bool) -> f64 {
    let mean = (x.len() * y.len()) as f64 / 2.0;
    let gap = u_statistic(x, y) - mean;
    let half = if continuity { 0.5 } else { 0.0 };
    if greater {
        normal_above((gap - half) / deviation(x, y))
    } else {
        (2.0 * normal_above((gap.abs() - half) / deviation(x, y))).min(1.0)
    }
}

/// The exact probability; only for samples without ties.
#[allow(clippy::many_single_char_names)] // the names of the literature
pub(crate) fn exact_p_value(x: &[f64], y: &[f64], greater: bool) -> f64 {
    let (m, n) = (x.len(), y.len());
    // ways[i][u]: choices of i places among those seen so far whose U is u.
    let mut ways = vec![vec![0.0; m * n + 1]; m + 1];
    ways[0][0] = 1.0;
    for place in 0..m + n {
        for i in (1..=m.min(place + 1)).rev() {
            let below = place + 1 - i;
            for u in (below..=m * n).rev() {
                let add = ways[i - 1][u - below];
                ways[i][u] += add;
            }
        }
    }
    let total: f64 = ways[m].iter().sum();
    let u = u_statistic(x, y) as usize;
    let above: f64 = ways[m][u.min(m * n)..].iter().sum::<f64>() / total;
    if greater {
        return above;
    }
    let below: f64 = ways[m][..=u.min(m * n)].iter().sum::<f64>() / total;
    (2.0 * above.min(below)).min(1.0)
}
