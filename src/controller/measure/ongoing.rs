//! Which comparison goes on after a look: the one at hand, the one that the status keeps, or a new one.

use super::Measure;
use super::look::Look;
use super::trail::Trail;
use super::trial::{Place, Trial, TrialId};
use crate::engine::judge::Unusable;
use crate::sources::promql::Arm;

/// Why there is no comparison while preflight goes on.
const SEARCHING: &str = "the baseline's metrics are being looked for again";

/// What became of the trial that the status keeps.
enum Resumed {
    GoesOn,
    /// The status keeps none of these versions, or one that is over.
    NothingKept,
    /// It cannot be used, and why.
    Lost(String),
}

impl Measure {
    /// Sees to it that the trial of `id` goes on: the one at hand, the one that the status keeps unless it has `ended`, or a
    /// new one.
    pub(super) async fn on_trial(
        &mut self,
        look: &Look<'_>,
        id: TrialId,
        (place, fresh): (Place, bool),
        ended: impl Fn(&Trial) -> bool + Send,
    ) -> Result<(), String> {
        match &self.trial {
            Some(trial) if trial.is_ahead(look.now) => self.trial = None,
            Some(trial) if trial.id == id && trial.judge.is_under(look.plan) => return Ok(()),
            // By other rules other metrics may count: they are looked for again, and the step is read again.
            Some(trial) if trial.id == id => {
                (self.trial, self.learned, self.search) = (None, None, None);
            }
            Some(_) | None => {}
        }
        let (candidate, stable) = look.arms(&id.revision);
        let arms = id.arms(&candidate, &stable);
        let lost = match self.resume(look, &id, arms, ended) {
            Resumed::GoesOn => return Ok(()),
            Resumed::Lost(why) => Some(why),
            Resumed::NothingKept => None,
        };
        match self.preflight(look, &id.revision).await {
            Some(problems) if problems.is_empty() => {}
            Some(problems) => {
                let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
                return Err(messages.join("; "));
            }
            None => return Err(SEARCHING.to_owned()),
        }
        let (_, learned) = self.learned.as_ref().ok_or(SEARCHING)?;
        let mut trial = Trial::begin(look.plan, id, learned, arms, (place, fresh, look.pace()))?;
        if let Some(why) = lost {
            trial.begin_anew(look.plan, &why);
        }
        self.trial = Some(trial);
        Ok(())
    }

    /// Goes on with the trial that the status keeps if it is that of `id` and has not `ended`. One of the way up tells at
    /// least what was found and learned.
    fn resume(
        &mut self,
        look: &Look<'_>,
        id: &TrialId,
        arms: (&Arm, &Arm),
        ended: impl Fn(&Trial) -> bool,
    ) -> Resumed {
        let Some(kept) = look.kept().filter(|kept| kept.judge.revision == id.revision) else {
            return Resumed::NothingKept;
        };
        if !self.asks_as(&kept) {
            return Resumed::Lost(Unusable::Changed.to_string());
        }
        let trial = match Trial::resume(look.plan, kept, arms, look.pace()) {
            Ok(trial) => trial,
            Err(why) => return Resumed::Lost(why),
        };
        self.learned
            .get_or_insert_with(|| (id.revision.clone(), trial.learned()));
        if trial.is_ahead(look.now) {
            return Resumed::Lost("it was kept under a clock ahead of this one".to_owned());
        }
        if trial.id != *id || ended(&trial) {
            return Resumed::NothingKept;
        }
        self.trail = Trail::resume(look.trail());
        self.trial = Some(trial);
        Resumed::GoesOn
    }
}
