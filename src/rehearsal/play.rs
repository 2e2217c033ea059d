//! Plays one simulated release, from the new template to its end.

use std::time::Duration;

use super::Setting;
use super::cluster::Cluster;
use super::course::{At, Course, End, Lack, Lacking, Short, Stop, at, moment};
use super::past::Past;
use super::traffic::Flow;
use super::trial::{Place, Trial};
use crate::engine::judge::Evidence;
use crate::engine::state::{Cause, Phase, PromotionStage, Release, Stage, State};
use crate::engine::{Revision, check, decide, reason};
use crate::stats;

/// No decision is followed by more of them at the same moment.
const TURNS: usize = 24;

/// Plays course number `run` of a setting.
pub fn play(setting: &Setting, run: u64, stop: Stop) -> Course {
    let mut play = Play::new(setting, run);
    let horizon = millis(setting.horizon);
    loop {
        play.settle();
        let course = &play.course;
        let over = match stop {
            Stop::AtEnd => false,
            Stop::AtFull => course.full.is_some(),
            Stop::AtHold => course.full.is_some() || course.held,
        };
        if course.end != End::Open || over || course.breaches > 0 || play.failed() {
            break;
        }
        let next = play.next();
        if next > horizon {
            play.pass(horizon);
            break;
        }
        play.pass(next);
    }
    play.finish(stop)
}

fn millis(span: Duration) -> At {
    At::try_from(span.as_millis()).unwrap_or(At::MAX)
}

/// A release under way.
struct Play<'a> {
    setting: &'a Setting,
    now: At,
    state: State,
    wake: Option<At>,
    cluster: Cluster,
    flow: Flow,
    past: Past,
    trial: Option<Trial>,
    /// When the present one of the user's steps began.
    step: Option<(usize, At)>,
    course: Course,
}

impl<'a> Play<'a> {
    fn new(setting: &'a Setting, run: u64) -> Self {
        let (stable, fresh) = (Revision::named("v1"), Revision::named("v2"));
        let interval = setting.plan.analysis.interval;
        let preflight = millis(interval).saturating_mul(2);
        let seed = setting.seed.wrapping_mul(1_000_003).wrapping_add(run);
        let mut flow = Flow::new(setting.traffic, interval.as_secs_f64(), seed);
        let past = Past::learn(setting, &mut flow);
        let clumps = past.clumps(setting.subject());
        Self {
            setting,
            now: 0,
            cluster: Cluster::new(&stable, &fresh, setting.pods, preflight),
            state: State {
                stable: Some(stable),
                phase: Phase::Idle,
                ..State::default()
            },
            wake: None,
            past,
            flow,
            trial: None,
            step: None,
            course: Course {
                end: End::Open,
                seconds: 0.0,
                full: None,
                harm: 0.0,
                steps: Vec::with_capacity(setting.plan.steps),
                held: false,
                lacked: None,
                provable: None,
                clumps,
                decisions: 0,
                breaches: 0,
            },
        }
    }

    /// Decides and does until nothing changes any more at this moment.
    fn settle(&mut self) {
        let plan = &self.setting.plan;
        for _ in 0..TURNS {
            let decision = decide(plan, &self.state, &self.cluster.seen, moment(self.now));
            self.course.decisions += 1;
            let breaches = check(plan, &self.state, &self.cluster.seen, &decision);
            if !breaches.is_empty() {
                self.course.breaches += breaches.len() as u64;
                return;
            }
            let still = decision.next == self.state && decision.effects.is_empty();
            self.wake = decision.wake.map(at);
            if still {
                return;
            }
            if let Phase::RollingBack(retreat) = &decision.next.phase
                && retreat.cause == Cause::Inconclusive
            {
                // Before it is gone.
                self.course.lacked = Some(self.lacking());
            }
            self.state = decision.next;
            for effect in &decision.effects {
                self.cluster.apply(effect, self.now);
            }
            self.flow
                .turn(self.now, self.cluster.weight(), self.cluster.rolled);
            self.measure();
            self.note();
        }
    }

    /// Which comparison the controller would have running.
    fn measure(&mut self) {
        let (setting, past) = (self.setting, &self.past);
        match &self.state.phase {
            Phase::Releasing(release) if release.stage == Stage::Judging => {
                let place = Place {
                    rung: release.rung,
                    entered: at(release.entered),
                    pods: release.granted.max(1),
                };
                let begin = || Trial::new(setting, past, &release.revision, place, false);
                let trial = self.trial.get_or_insert_with(begin);
                trial.enter(place);
                if self.course.provable.is_none() {
                    self.course.provable = trial.provable(setting);
                }
            }
            // The evidence of the last rung stays until the next one begins.
            Phase::Releasing(_) => {}
            Phase::Promoting(promotion) if matches!(promotion.stage, PromotionStage::Returning(_)) => {
                if self.trial.is_none() {
                    self.flow.cut();
                    let place = Place {
                        rung: 0,
                        entered: self.now,
                        pods: setting.pods,
                    };
                    self.trial = Some(Trial::new(setting, past, &promotion.revision, place, true));
                }
            }
            Phase::Adopting
            | Phase::Idle
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Promoting(_)
            | Phase::Deleting(_) => {
                if self.trial.take().is_some() {
                    self.cluster.seen.evidence = Evidence::none();
                }
            }
        }
    }

    /// Writes down what the new state means.
    fn note(&mut self) {
        let seconds = self.now as f64 / 1000.0;
        let started = self.release().filter(|release| release.stage != Stage::Preflight);
        let step = started.map(|release| self.setting.plan.rung(release.rung).step);
        if step != self.step.map(|(step, _)| step) {
            self.leave_step();
            self.step = step.map(|step| (step, self.now));
        }
        match &self.state.phase {
            Phase::Promoting(_) => self.course.full = self.course.full.or(Some(seconds)),
            Phase::RollingBack(retreat) => self.course.end = End::RolledBack(retreat.cause),
            Phase::Idle if self.state.history.first().is_some_and(|end| end.cause.is_none()) => {
                self.course.end = End::Promoted;
            }
            Phase::Adopting
            | Phase::Idle
            | Phase::Releasing(_)
            | Phase::RolledBack(_)
            | Phase::Deleting(_) => {}
        }
        let waits = self.state.waiting.as_ref().map(|waiting| waiting.reason.as_str());
        if waits == Some(reason::INCONCLUSIVE) && !self.course.held {
            self.course.held = true;
            self.course.lacked = Some(self.lacking());
        }
        if waits == Some(reason::WAITING_FOR_APPROVAL)
            && self.cluster.seen.actions.is_empty()
            && let Some(revision) = self.state.active()
        {
            self.cluster.approve(revision);
        }
    }

    fn leave_step(&mut self) {
        if let Some((_, since)) = self.step {
            self.course.steps.push((self.now - since) as f64 / 1000.0);
        }
    }

    /// The rung that it stands on, or the top one.
    fn rung(&self) -> usize {
        let top = self.setting.plan.rungs.len().saturating_sub(1);
        self.release().map_or(top, |release| release.rung)
    }

    fn release(&self) -> Option<&Release> {
        if let Phase::Releasing(release) = &self.state.phase {
            Some(release)
        } else {
            None
        }
    }

    /// What the release lacks to go on: of the gating metrics, the one that lacks most.
    fn lacking(&self) -> Lacking {
        let mut worst = Lacking {
            rung: self.rung(),
            metric: self.setting.subject(),
            lack: if self.failed() {
                Lack::Promotion
            } else {
                Lack::Time
            },
        };
        let seen = self.trial.iter().flat_map(|trial| trial.judge.assessments());
        for (index, (metric, seen)) in seen.enumerate() {
            if !metric.gating || seen.verdict == stats::Verdict::Pass {
                continue;
            }
            let lack = if seen.amiss == Some(stats::Amiss::SharedFault) {
                Lack::Environment
            } else if seen.suspicion.reached() {
                Lack::Doubt
            } else {
                Lack::Proof(Short::of(&seen))
            };
            if lack.rank() > worst.lack.rank() {
                worst = Lacking {
                    metric: index,
                    lack,
                    ..worst
                };
            }
        }
        worst
    }

    /// The promotion has given up: only a person can help.
    fn failed(&self) -> bool {
        matches!(&self.state.phase, Phase::Promoting(promotion) if promotion.stage == PromotionStage::Failed)
    }

    fn next(&self) -> At {
        let trial = self.trial.as_ref().map(Trial::next);
        let times = [self.wake, self.cluster.next(), trial];
        // A wake that is over already is answered a moment later, so that time passes.
        times
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(At::MAX)
            .max(self.now + 1)
    }

    /// Time passes to `next`.
    fn pass(&mut self, next: At) {
        self.now = next;
        self.cluster.advance(next);
        if let Some(trial) = &mut self.trial
            && let Some(evidence) = trial.advance(self.setting, &mut self.flow, next)
        {
            self.cluster.seen.evidence = evidence;
        }
    }

    fn finish(mut self, stop: Stop) -> Course {
        self.flow.run(self.now);
        self.leave_step();
        let seconds = self.now as f64 / 1000.0;
        let lacking = self.lacking();
        let course = &mut self.course;
        course.seconds = seconds;
        course.harm = self.flow.harm;
        if stop != Stop::AtEnd && course.full.is_some() {
            course.end = End::Promoted;
        }
        if self.course.end == End::Open && !self.course.held {
            self.course.held = true;
            // No deadline was reached: with more time it may well come to a verdict.
            let lack = match lacking.lack {
                Lack::Promotion => Lack::Promotion,
                Lack::Time | Lack::Environment | Lack::Doubt | Lack::Proof(_) => Lack::Time,
            };
            self.course.lacked = Some(Lacking { lack, ..lacking });
        }
        self.course
    }
}
