//! How long a decision takes in each state: `cargo bench --bench decide`. The aim is 2 µs.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)] // criterion's macros make public functions

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use serin::engine::judge::{Evidence, Standing, Verdict};
use serin::engine::observation::{Candidate, Crashes, Gate, Observation, Pods, Residual, Route, Workload};
use serin::engine::plan::GateMode;
use serin::engine::state::{
    Cause, Phase, Promotion, PromotionStage, Rejection, Release, Removal, Retreat, Stage,
};
use serin::engine::{Moment, Plan, Revision, State, Weight, check, decide};

fn plan() -> Plan {
    let mut plan = Plan::fallback(GateMode::Admission);
    plan.paused = false;
    plan
}

fn seen(now: Moment, weight: u8) -> Observation {
    let pods = Pods { desired: 4, ready: 4 };
    Observation {
        deleting: false,
        problems: Vec::new(),
        workload: Some(Workload {
            template: Revision::named("v2"),
            paused: true,
            replicas: 4,
            observed: true,
            revisions: BTreeMap::from([(Revision::named("v1"), pods)]),
            endpoints: 4,
            since: Moment::UNIX_EPOCH,
            overdue: None,
            gated: true,
        }),
        candidate: Candidate {
            revision: Some(Revision::named("v2")),
            service: true,
            going: false,
            desired: 4,
            ready: 4,
            trouble: None,
            leftovers: false,
            crashes: Crashes::default(),
        },
        route: Route::Seen {
            weight: Some(Weight::clamped(weight)),
            highest: Weight::clamped(weight),
            touched: true,
            named: true,
            accepted_since: Some(now - Duration::from_secs(20)),
            refusal: None,
        },
        gate: Gate::Closed,
        preflight: Some(Vec::new()),
        evidence: Evidence {
            revision: Some(Revision::named("v2")),
            rung: 0,
            at: Some(now),
            silent: None,
            verdict: Verdict::Continue,
            summary: "3 of 1000 requests failed, 2 of 9000 beside it".to_owned(),
            share: None,
            standing: Standing::default(),
            idle: false,
            by_past: false,
            young: false,
            gauges: serin::engine::gauge::Gauges::default(),
        },
        residual: Residual::Unknown,
        actions: Vec::new(),
        refusal: None,
    }
}

#[allow(clippy::too_many_lines)] // a table
fn states(now: Moment) -> Vec<(&'static str, u8, Phase)> {
    let revision = Revision::named("v2");
    let entered = now - Duration::from_secs(25);
    let release = |stage, weight| {
        Phase::Releasing(Release {
            revision: revision.clone(),
            started: entered,
            entered,
            ladder: Vec::new(),
            rung: 0,
            passed: 0,
            weight: Weight::clamped(weight),
            stage,
            granted: 4,
            approved: false,
            paused: false,
            lost: 0,
            restarts: Some(0),
            gap: None,
            overstayed: None,
        })
    };
    let promotion = |stage, weight| {
        Phase::Promoting(Promotion {
            revision: revision.clone(),
            started: entered,
            entered,
            stage,
            weight: Weight::clamped(weight),
            paused: false,
            lost: 0,
            worse: false,
            replicas: None,
            served: None,
        })
    };
    vec![
        ("adopting", 0, Phase::Adopting),
        ("idle", 0, Phase::Idle),
        ("preflight", 0, release(Stage::Preflight, 0)),
        ("scaling", 0, release(Stage::Scaling, 0)),
        ("judging", 1, release(Stage::Judging, 1)),
        (
            "rolling back",
            0,
            Phase::RollingBack(Retreat {
                revision: revision.clone(),
                started: entered,
                entered,
                cause: Cause::Regression,
                detail: "worse".to_owned(),
                served: None,
            }),
        ),
        (
            "rolled back",
            0,
            Phase::RolledBack(Rejection {
                revision: revision.clone(),
                since: entered,
                cause: Cause::Regression,
                detail: "worse".to_owned(),
            }),
        ),
        ("handover", 100, promotion(PromotionStage::Handover, 100)),
        ("rolling", 100, promotion(PromotionStage::Rolling, 100)),
        ("returning", 75, promotion(PromotionStage::Returning(0), 75)),
        ("baking", 0, promotion(PromotionStage::Baking, 0)),
        ("failed", 100, promotion(PromotionStage::Failed, 100)),
        (
            "deleting",
            0,
            Phase::Deleting(Removal {
                ships: false,
                entered,
                approved: None,
                weight: Weight::NONE,
                drain: true,
                served: None,
                watched: None,
            }),
        ),
    ]
}

fn decisions(criterion: &mut Criterion) {
    let plan = plan();
    let now = Moment::from_second(1_700_000_000).unwrap();
    let mut group = criterion.benchmark_group("decide");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    for (name, weight, phase) in states(now) {
        let seen = seen(now, weight);
        let state = State {
            stable: Some(Revision::named("v1")),
            phase,
            ..State::default()
        };
        // A state at rest in itself: what a controller decides again and again.
        let settled = decide(&plan, &state, &seen, now).next;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                decide(
                    black_box(&plan),
                    black_box(&state),
                    black_box(&seen),
                    black_box(now),
                )
            });
        });
        group.bench_function(format!("{name}, nothing new, with check"), |bencher| {
            bencher.iter(|| {
                let decision = decide(&plan, black_box(&settled), black_box(&seen), now);
                check(&plan, &settled, &seen, &decision)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
