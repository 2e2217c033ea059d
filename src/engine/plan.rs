//! The plan of a release: a `Rollout`'s spec, validated once. Downstream nothing checks it again.

mod admit;

use std::time::Duration;

use super::quantity::Weight;

/// Everything that the engine needs to know of the user's wishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The rungs that the candidate climbs, lowest first; never empty.
    pub rungs: Vec<Rung>,
    /// How many steps the user wrote; the last one is climbed in two rungs (proof and bake).
    pub steps: usize,
    /// How long preflight may take until it is called stuck (it goes on trying).
    pub preflight_deadline: Duration,
    /// How long a candidate may take to become ready before the release fails.
    pub scaling_deadline: Duration,
    /// How long a route may take to be accepted until the wait is reported.
    pub route_deadline: Duration,
    /// Between the route's acceptance and the moment when every proxy is taken to follow it.
    pub propagation: Duration,
    /// What to do at a step's deadline without a verdict.
    pub on_inconclusive: OnSilence,
    /// What to do when the metrics stay away for longer than `no_data_deadline`.
    pub on_no_data: OnSilence,
    /// How long the metrics may stay away.
    pub no_data_deadline: Duration,
    /// How a rollback goes.
    pub rollback: Rollback,
    /// How a promotion goes.
    pub promotion: Promotion,
    /// The user asked for a pause in the spec.
    pub paused: bool,
    /// How the gate is kept.
    pub gate: GateMode,
    /// Deleting the Rollout resumes a Deployment whose template does not serve yet.
    pub resume_on_delete: bool,
    /// How verdicts are reached.
    pub analysis: Analysis,
}

/// One weight on the way up, with what must happen before the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The candidate's weight on this rung.
    pub weight: Weight,
    /// Index of the user's step that it belongs to, from 0.
    pub step: usize,
    /// What lets the release climb on.
    pub kind: RungKind,
    /// The shortest stay.
    pub hold: Duration,
    /// When the stay is called inconclusive.
    pub deadline: Duration,
    /// A person must approve before the rung is left.
    pub approval: bool,
}

/// What lets a release leave a rung upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RungKind {
    /// A `Pass` on this rung's data.
    Proof,
    /// Time, with the fail test armed; the step's `Pass` came on the rung before.
    Bake,
}

/// What silence means once its deadline is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSilence {
    /// Keep the weight and wait for a person or for data.
    Hold,
    /// Take the candidate back.
    Rollback,
}

/// How traffic leaves a rejected candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// For connections that weight does not end: between weight 0 and the end of the pods.
    pub drain: Duration,
    /// How long the scaled-down candidate is kept for a look.
    pub keep: Duration,
}

/// How a proven revision becomes the user's Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Shares that go back to the promoted Deployment, rising, the last one 100.
    pub returns: Vec<Weight>,
    /// The stay on each share of the return.
    pub warm_up: Duration,
    /// The stay with all traffic on the promoted Deployment before the candidate goes.
    pub bake: Duration,
    /// How long the Deployment's own rolling update may take.
    pub deadline: Duration,
}

/// What keeps an unproven template from rolling out by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateMode {
    /// An admission policy pauses the Deployment in the request that changes its template.
    Admission,
    /// The Deployment is paused at rest.
    Paused,
}

/// What the judge needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Between two evaluations.
    pub interval: Duration,
    /// After a rung's weight is in force, while pods are cold: no pass is earned.
    pub warm_up: Duration,
    /// Bound on the chance of a false rollback in the whole release: 0 to 1.
    pub false_rollback: f64,
    /// Bound on the chance of a wrong promotion: 0 to 1.
    pub wrong_promotion: f64,
    /// The metrics, each of which must pass.
    pub metrics: Vec<Metric>,
}

/// One compared metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name, unique in the plan.
    pub name: String,
    /// What makes a request bad.
    pub kind: MetricKind,
    /// It is left out where nothing counts it.
    pub optional: bool,
    /// A promotion needs its pass; otherwise it can only roll back.
    pub gating: bool,
    /// A worse rate than this one begins to count against the candidate.
    pub tolerated: Margin,
    /// A better rate than this one must be proven before the candidate passes.
    pub unacceptable: Margin,
}

/// What makes a request bad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricKind {
    /// It failed.
    ErrorRate,
    /// It took longer than an edge of the baseline's histogram.
    Latency {
        /// The slow-down that is tolerated: 0.1 allows a tenth more time.
        slowdown: f64,
        /// An edge of the user's own, in seconds.
        objective: Option<f64>,
    },
}

impl MetricKind {
    /// Its part of the chance of a false rollback, relative to others: failures matter most.
    pub const fn weight(self) -> f64 {
        match self {
            Self::ErrorRate => 5.0,
            Self::Latency { .. } => 3.0,
        }
    }
}

/// An affine margin: `candidate = ratio × baseline + absolute`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Relative part.
    pub ratio: f64,
    /// Absolute part, a rate between 0 and 1.
    pub absolute: f64,
}

impl Plan {
    /// The rung at `index`; beyond the top, the top one.
    pub fn rung(&self, index: usize) -> &Rung {
        let top = self.rungs.len().saturating_sub(1);
        &self.rungs[index.min(top)]
    }

    /// A plan for a spec that cannot be read: enough to take traffic back and to let go, and to do nothing else.
    pub fn fallback(gate: GateMode) -> Self {
        let minute = Duration::from_mins(1);
        let step = Step {
            weight: Weight::FULL,
            hold: minute,
            deadline: minute,
            approval: true,
        };
        Self {
            rungs: rungs(&[step], Weight::clamped(99), Weight::clamped(99), minute),
            steps: 1,
            preflight_deadline: minute,
            scaling_deadline: Duration::MAX,
            route_deadline: minute,
            propagation: Duration::from_secs(1),
            on_inconclusive: OnSilence::Hold,
            on_no_data: OnSilence::Hold,
            no_data_deadline: Duration::MAX,
            rollback: Rollback {
                drain: Duration::from_secs(30),
                keep: Duration::ZERO,
            },
            promotion: Promotion {
                returns: vec![Weight::FULL],
                warm_up: minute,
                bake: minute,
                deadline: Duration::MAX,
            },
            paused: true,
            gate,
            resume_on_delete: false,
            analysis: Analysis {
                interval: minute,
                warm_up: Duration::ZERO,
                false_rollback: 0.01,
                wrong_promotion: 0.05,
                metrics: Vec::new(),
            },
        }
    }

    /// Candidate pods that a rung's weight needs, of a Deployment with so many replicas; in the last step, as many as may
    /// have to serve alone.
    pub fn pods(&self, rung: usize, replicas: u32) -> u32 {
        let rung = self.rung(rung);
        let weight = if rung.step + 1 == self.steps {
            Weight::FULL
        } else {
            rung.weight
        };
        weight.share_of(replicas)
    }

    /// The weights of all rungs.
    pub fn ladder(&self) -> impl Iterator<Item = Weight> {
        self.rungs.iter().map(|rung| rung.weight)
    }

    /// Whether nothing runs beside the version on trial on a rung: it has all traffic there, and only the past is left to
    /// compare it with. So it is beyond the ladder, when all traffic is back on the promoted pods.
    pub fn is_alone(&self, index: usize) -> bool {
        index >= self.rungs.len() || self.rung(index).weight == Weight::FULL
    }

    /// Whether `index` is the highest rung.
    pub fn is_top(&self, index: usize) -> bool {
        index + 1 >= self.rungs.len()
    }
}

/// A step as the user wrote it, before it becomes rungs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The candidate's weight; the last step's is 100.
    pub weight: Weight,
    /// The shortest stay; in the last step, that of the bake.
    pub hold: Duration,
    /// When the step is called inconclusive.
    pub deadline: Duration,
    /// A person must approve.
    pub approval: bool,
}

/// Turns steps into rungs. The last step keeps `share` on the incumbent until its verdict and `bake_share` for
/// its hold, because without a baseline beside it no verdict means anything. Until the verdict it stays for at least
/// `proof_hold`, or for its own hold where that is shorter: whoever shortens a step wants all of it short.
pub fn rungs(steps: &[Step], share: Weight, bake_share: Weight, proof_hold: Duration) -> Vec<Rung> {
    let mut rungs = Vec::with_capacity(steps.len() + 1);
    let mut below = Weight::NONE;
    for (index, step) in steps.iter().enumerate() {
        let rung = |weight, kind, hold, approval| Rung {
            weight,
            step: index,
            kind,
            hold,
            deadline: step.deadline,
            approval,
        };
        if index + 1 < steps.len() {
            rungs.push(rung(step.weight, RungKind::Proof, step.hold, step.approval));
        } else {
            let proof = share.rest().max(below);
            rungs.push(rung(proof, RungKind::Proof, proof_hold.min(step.hold), false));
            rungs.push(rung(
                bake_share.rest().max(proof),
                RungKind::Bake,
                step.hold,
                step.approval,
            ));
        }
        below = step.weight;
    }
    rungs
}
