//! When gauges say something of a version: not in a gap, and not while pods are young.

use super::*;
use crate::engine::state::Gap;

#[tokio::test]
async fn what_a_pod_uses_beside_nobody_is_no_forecast() {
    let plan = plan();
    let mut trial = begin(&plan);
    let ordinary = |trial: &Trial, from: i64| trial.is_ordinary(&plan, second(from), second(from + 5));
    assert!(ordinary(&trial, ENTERED[0] + 100));
    let alone = Gap {
        from: second(ENTERED[0] + 90),
        until: None,
        alone: true,
    };
    trial.leave_out(Some(alone), &plan);
    assert!(ordinary(&trial, ENTERED[0] + 85));
    assert!(!ordinary(&trial, ENTERED[0] + 100));
    let over = Gap {
        until: Some(second(ENTERED[0] + 95)),
        ..alone
    };
    trial.leave_out(Some(over), &plan);
    // The pods that came back are cold, and take a share of the traffic that the candidate's use does not follow.
    assert!(!ordinary(&trial, ENTERED[0] + 96));
    assert!(ordinary(&trial, ENTERED[0] + 1_000));
}
