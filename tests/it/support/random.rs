//! Plans, states and observations at random, from a seed.

use std::time::Duration;

use serin::engine::gauge::{Gauges, Leak, Room};
use serin::engine::judge::{Evidence, Standing, Verdict};
use serin::engine::observation::{
    Action, Candidate, Crashes, Gate, Observation, Pods, Problem, Residual, Route, Verb, Workload,
};
use serin::engine::plan::{Analysis, GateMode, OnSilence, Plan, Promotion, Rollback, Step, rungs};
use serin::engine::reason::Waiting;
use serin::engine::state::{
    Cause, Gap, Handled, Outcome, Phase, PromotionStage, Rejection, Release, Removal, Retreat, Served, Stage,
    Watched,
};
use serin::engine::{Moment, Revision, State, Weight, state};

/// SplitMix64: small, fast, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `below - 1`.
    pub(crate) fn below(&mut self, below: u32) -> u32 {
        (self.roll() % u64::from(below.max(1))) as u32
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize].clone()
    }

    fn maybe<T>(&mut self, percent: u32, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let yes = self.chance(percent);
        yes.then(|| make(self))
    }

    pub(crate) fn revision(&mut self) -> Revision {
        Revision::named(self.one(&["v1", "v2", "v3"]))
    }

    fn span(&mut self) -> Duration {
        Duration::from_secs(self.one(&[0, 1, 2, 10, 30, 60, 300, 3600, u64::MAX]))
    }

    fn weight(&mut self) -> Weight {
        Weight::clamped(self.below(101) as u8)
    }

    /// Mostly near `now`, sometimes at the ends of time.
    fn moment(&mut self, now: Moment) -> Moment {
        match self.below(50) {
            0 => Moment::MIN,
            1 => Moment::MAX,
            2..=8 => now,
            9..=12 => now + Duration::from_secs(u64::from(self.below(1000))),
            _ => now - Duration::from_secs(u64::from(self.below(1000))),
        }
    }

    /// A plan that the API server would admit.
    pub(crate) fn plan(&mut self) -> Plan {
        let mut weights: Vec<u8> = (0..self.below(4)).map(|_| 1 + self.below(99) as u8).collect();
        weights.push(100);
        weights.sort_unstable();
        weights.dedup();
        let small = |dice: &mut Self| Duration::from_secs(dice.one(&[0, 1, 10, 30, 60, 300]));
        let steps: Vec<Step> = weights
            .into_iter()
            .map(|weight| Step {
                weight: Weight::clamped(weight),
                hold: small(self),
                deadline: self.span(),
                approval: self.chance(20),
            })
            .collect();
        let share = Weight::clamped(1 + self.below(50) as u8);
        let bake_share = Weight::clamped(self.below(50) as u8);
        let silence = [OnSilence::Hold, OnSilence::Rollback];
        let returns: &[u8] = self.one(&[&[25, 50, 100][..], &[100][..], &[1, 99, 100][..]]);
        Plan {
            rungs: rungs(&steps, share, bake_share, small(self)),
            steps: steps.len(),
            preflight_deadline: self.span(),
            scaling_deadline: self.span(),
            route_deadline: self.span(),
            propagation: small(self),
            on_inconclusive: self.one(&silence),
            on_no_data: self.one(&silence),
            no_data_deadline: self.span(),
            rollback: Rollback {
                drain: small(self),
                keep: self.span(),
            },
            promotion: Promotion {
                returns: returns.iter().copied().map(Weight::clamped).collect(),
                warm_up: small(self),
                bake: small(self),
                deadline: self.span(),
            },
            paused: self.chance(3),
            resume_on_delete: self.chance(30),
            gate: self.one(&[GateMode::Admission, GateMode::Paused]),
            analysis: Analysis {
                interval: Duration::from_secs(15),
                warm_up: Duration::ZERO,
                false_rollback: 0.01,
                wrong_promotion: 0.05,
                metrics: Vec::new(),
            },
        }
    }

    fn problem(&mut self) -> Problem {
        Problem {
            reason: self.one(&["RouteNotFound", "Forbidden", "GateOpen"]),
            message: "cure it".to_owned(),
        }
    }

    pub(crate) fn workload(&mut self) -> Workload {
        let revisions = ["v1", "v2", "v3"].into_iter().filter_map(|name| {
            let pods = Pods {
                desired: self.one(&[0, 1, 4, 4]),
                ready: self.one(&[0, 1, 4, 4, 9]),
            };
            self.chance(60).then(|| (Revision::named(name), pods))
        });
        let revisions = revisions.collect();
        Workload {
            template: self.revision(),
            paused: self.chance(60),
            replicas: self.one(&[0, 1, 4, 4, 4, 11, u32::MAX]),
            observed: self.chance(90),
            revisions,
            endpoints: self.below(9),
            since: Moment::UNIX_EPOCH,
            overdue: self.maybe(10, |dice| dice.one(&[Moment::UNIX_EPOCH, Moment::MAX])),
            gated: self.chance(80),
        }
    }

    pub(crate) fn candidate(&mut self) -> Candidate {
        Candidate {
            revision: self.maybe(70, Self::revision),
            service: self.chance(90),
            going: self.chance(2),
            desired: self.below(6),
            ready: self.below(6),
            trouble: self.maybe(5, |_| "quota".to_owned()),
            leftovers: self.chance(5),
            crashes: if self.chance(97) {
                Crashes::default()
            } else {
                Crashes {
                    pods: self.below(3),
                    restarts: self.below(5),
                    how: None,
                }
            },
        }
    }

    pub(crate) fn route(&mut self, now: Moment) -> Route {
        if self.chance(8) {
            return Route::Unusable(self.problem());
        }
        let (weight, highest, touched) = (self.maybe(90, Self::weight), self.weight(), self.chance(70));
        Route::Seen {
            weight,
            highest,
            touched,
            named: touched,
            accepted_since: self.maybe(80, |dice| dice.moment(now)),
            refusal: self.maybe(10, |_| "no such listener".to_owned()),
        }
    }

    pub(crate) fn evidence(&mut self, now: Moment) -> Evidence {
        Evidence {
            revision: self.maybe(90, Self::revision),
            rung: self.below(6) as usize,
            at: self.maybe(90, |dice| dice.moment(now)),
            silent: self.maybe(10, |dice| (dice.moment(now), "prometheus is down".to_owned())),
            verdict: self.one(&[Verdict::Pass, Verdict::Pass, Verdict::Continue, Verdict::Fail]),
            summary: "numbers".to_owned(),
            share: None,
            standing: Standing {
                measured: std::time::Duration::from_secs(self.below(4_000).into()),
                suspect: self.chance(10),
                outage: self.chance(5),
            },
            idle: self.chance(10),
            by_past: self.chance(20),
            young: self.chance(10),
            gauges: self.gauges(),
        }
    }

    fn gauges(&mut self) -> Gauges {
        let told = || "cpu: too much".to_owned();
        match self.below(40) {
            0 => Gauges {
                room: Room::TooTight(told()),
                leak: Leak::None,
            },
            1 => Gauges {
                room: Room::Reading,
                leak: Leak::Holds(told()),
            },
            2 => Gauges {
                room: Room::Unknown(told()),
                leak: self.one(&[Leak::None, Leak::None, Leak::Fails(told())]),
            },
            3 => Gauges {
                room: Room::Reading,
                leak: Leak::None,
            },
            _ => Gauges::default(),
        }
    }

    fn residual(&mut self, now: Moment) -> Residual {
        let (per_second, routed) = (15.0, self.chance(50));
        let told = now;
        self.one(&[
            Residual::Unknown,
            Residual::Awaited,
            Residual::Gone,
            Residual::Comes { per_second, routed },
            Residual::Came {
                per_second,
                routed,
                told,
            },
        ])
    }

    pub(crate) fn gate(&mut self) -> Gate {
        match self.below(10) {
            0 => Gate::Open(self.problem()),
            1 => Gate::Unknown,
            _ => Gate::Closed,
        }
    }

    pub(crate) fn action(&mut self) -> Action {
        Action {
            id: format!("action-{}", self.below(50)),
            created: Moment::UNIX_EPOCH + Duration::from_secs(u64::from(self.below(3))),
            verb: self.one(&[
                Verb::Approve,
                Verb::Pause,
                Verb::Resume,
                Verb::Resume,
                Verb::Abort,
            ]),
            revision: self.maybe(80, Self::revision),
        }
    }

    /// Anything at all.
    pub(crate) fn observation(&mut self, now: Moment) -> Observation {
        let mut actions: Vec<Action> = (0..self.below(3)).map(|_| self.action()).collect();
        actions.dedup_by(|a, b| a.id == b.id);
        Observation {
            deleting: self.chance(5),
            problems: self.maybe(8, Self::problem).into_iter().collect(),
            workload: self.maybe(95, Self::workload),
            candidate: self.candidate(),
            route: self.route(now),
            gate: self.gate(),
            preflight: self.maybe(80, |dice| dice.maybe(20, Self::problem).into_iter().collect()),
            evidence: self.evidence(now),
            residual: self.residual(now),
            actions,
            refusal: self.maybe(8, Self::problem),
        }
    }

    /// A state that can be written down, whether or not it can be reached.
    pub(crate) fn state(&mut self, now: Moment) -> State {
        let phase = self.phase(now);
        State {
            stable: self.maybe(90, Self::revision),
            phase,
            waiting: self.maybe(50, |_| Waiting::on("Judging", "evidence")),
            handled: (0..self.below(3))
                .map(|id| Handled {
                    id: format!("action-{id}"),
                    refusal: None,
                })
                .collect(),
            history: (0..self.below(12)).map(|_| self.outcome(now)).collect(),
        }
    }

    fn outcome(&mut self, now: Moment) -> Outcome {
        Outcome {
            revision: self.revision(),
            cause: self.maybe(50, Self::cause),
            detail: String::new(),
            started: self.moment(now),
            ended: self.moment(now),
        }
    }

    fn cause(&mut self) -> Cause {
        self.one(&[
            Cause::Regression,
            Cause::Leaking,
            Cause::NotReady,
            Cause::CapacityLost,
            Cause::Inconclusive,
            Cause::NoData,
            Cause::Aborted,
            Cause::Superseded,
            Cause::Reverted,
        ])
    }

    fn phase(&mut self, now: Moment) -> Phase {
        let (revision, started, entered) = (self.revision(), self.moment(now), self.moment(now));
        match self.below(7) {
            0 => Phase::Adopting,
            1 => Phase::Idle,
            2 => Phase::Releasing(Release {
                revision,
                started,
                entered,
                ladder: (0..self.below(7)).map(|_| self.weight()).collect(),
                rung: self.below(7) as usize,
                passed: self.below(7) as usize,
                weight: self.weight(),
                stage: self.one(&[Stage::Preflight, Stage::Scaling, Stage::Judging]),
                granted: self.below(6),
                approved: self.chance(30),
                paused: self.chance(10),
                lost: self.below(256) as u8,
                restarts: self.maybe(50, |random| random.below(3)),
                gap: self.maybe(10, |random| Gap {
                    from: random.moment(now),
                    until: random.maybe(50, |random| random.moment(now)),
                    alone: random.chance(50),
                }),
                overstayed: self.maybe(30, |_| entered),
            }),
            3 => Phase::RollingBack(Retreat {
                revision,
                started,
                entered,
                cause: self.cause(),
                detail: "why".to_owned(),
                served: self.served(now),
            }),
            4 => Phase::RolledBack(Rejection {
                revision,
                since: entered,
                cause: self.cause(),
                detail: "why".to_owned(),
            }),
            5 => Phase::Promoting(self.promotion(revision, started, entered)),
            _ => Phase::Deleting(Removal {
                entered,
                approved: self.maybe(50, Self::revision),
                ships: self.chance(20),
                weight: self.weight(),
                drain: self.chance(50),
                served: self.served(now),
                watched: self.maybe(30, |_| Watched {
                    revision,
                    since: started,
                }),
            }),
        }
    }

    fn served(&mut self, now: Moment) -> Option<Served> {
        self.maybe(30, |dice| {
            let told = dice.maybe(50, |dice| dice.moment(now));
            Served::new(15.0, dice.chance(50), told)
        })
    }

    fn promotion(&mut self, revision: Revision, started: Moment, entered: Moment) -> state::Promotion {
        let returning = PromotionStage::Returning(self.below(5) as usize);
        state::Promotion {
            revision,
            started,
            entered,
            stage: self.one(&[
                PromotionStage::Handover,
                PromotionStage::Rolling,
                returning,
                PromotionStage::Baking,
                PromotionStage::Failed,
            ]),
            weight: self.weight(),
            paused: self.chance(20),
            lost: self.below(256) as u8,
            worse: self.chance(30),
            replicas: self.maybe(50, |dice| dice.below(12)),
            served: self.maybe(30, |dice| Served::new(15.0, dice.chance(50), Some(entered))),
        }
    }
}
