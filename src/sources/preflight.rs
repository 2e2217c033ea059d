//! Before any traffic shifts: which of the possible queries counts the baseline's requests, and do its counters move?
//!
//! A release whose metrics are missing would hold at its first step with users on the candidate; this finds out with
//! none there. The decision is pure; [`Preflight::look`] only asks the queries.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::counters::{ArmSamples, EDGE_LABEL, Labels, NoData, Target, readable};
use super::presets::{Preset, Together};
use super::promql::{Arm, TemplateError, render};
use super::queries::{ArmQueries, Queries};
use crate::ports::{MetricSource, Sample, SourceError};

/// For how many looks a choice whose counters stand still keeps its precedence over later ones that move.
const PATIENCE: u32 = 3;

/// Queries that may fit, under the name that messages give them.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// A preset's name, or what the user's own queries are called.
    pub name: String,
    /// Its templates.
    pub queries: Queries,
    /// How its gateway counts where it cannot be compared.
    pub together: Option<Together>,
}

impl Choice {
    /// The user's own queries.
    pub fn custom(queries: Queries) -> Self {
        Self {
            name: "the Rollout's own query".into(),
            queries,
            together: None,
        }
    }

    /// What the preset `name` stands for, or without one what is searched. `latency`: for how long requests take,
    /// first in classic buckets, then in native histograms. Empty where the name is unknown, or nothing is known of how
    /// long its requests take.
    pub fn preset(name: Option<&str>, latency: bool) -> Vec<Self> {
        let presets = name.map_or_else(Preset::searched, Preset::named);
        let kinds: &[fn(&Preset) -> Option<Queries>] = if latency {
            &[Preset::latency, Preset::native]
        } else {
            &[|preset| Some(preset.queries())]
        };
        let mut choices: Vec<Self> = Vec::new();
        for (kind, preset) in kinds
            .iter()
            .flat_map(|kind| presets.iter().map(move |it| (kind, it)))
        {
            let Some(queries) = kind(preset) else { continue };
            if choices.iter().all(|known| known.queries != queries) {
                choices.push(Self {
                    name: preset.name.into(),
                    queries,
                    together: preset.together,
                });
            }
        }
        choices
    }

    /// What a user is told that it is.
    pub fn title(&self) -> String {
        if self.queries.is_native() {
            format!("{} (native histogram)", self.name)
        } else {
            self.name.clone()
        }
    }
}

/// What preflight knows so far.
#[derive(Clone, Debug, PartialEq)]
pub enum Outlook {
    /// These queries count the baseline's requests, and their counters move.
    Found(Choice),
    /// Not yet; look again one interval later. The text says what is missing and how to cure it.
    Looking(String),
    /// They count them, but what the server says of a moment is not final when it is read. The text says how to cure it.
    Late(String),
}

/// What one query gave, as far as preflight cares.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The baseline's counters of all requests.
    pub total: Result<Vec<Sample>, SourceError>,
    /// Those of its bad requests; nothing for a histogram.
    pub bad: Result<Vec<Sample>, SourceError>,
    /// What is said now of the moment of the look before, if that look has found counters.
    pub again: Option<Result<Vec<Sample>, SourceError>>,
}

/// The search for a baseline's metrics.
#[derive(Clone, Debug)]
pub struct Preflight {
    choices: Vec<Candidate>,
    together: Vec<Lumped>,
    service: String,
    /// The moment of the last look.
    looked: Option<Timestamp>,
}

/// Series in which the baseline may be counted together with others.
#[derive(Clone, Debug)]
struct Lumped {
    query: String,
    cure: &'static str,
    seen: bool,
}

#[derive(Clone, Debug)]
struct Candidate {
    choice: Choice,
    queries: ArmQueries,
    /// A release asks for the buckets at its edges alone.
    narrows: bool,
    last: BTreeMap<Labels, f64>,
    /// What the last look alone has found.
    found: BTreeMap<Labels, f64>,
    /// At how many looks its counters stood still.
    still: u32,
    state: State,
}

/// What the last look at a choice has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Unseen,
    Refused(SourceError),
    Absent,
    Summed,
    Unreadable(NoData),
    Still,
    Late,
    Moving,
}

impl Preflight {
    /// A search for `baseline` among `choices`, first come first served.
    ///
    /// # Errors
    /// A placeholder that is unknown or has no usable value.
    pub fn new(choices: Vec<Choice>, baseline: &Arm) -> Result<Self, TemplateError> {
        let candidate = |choice: Choice| {
            let queries = choice.queries.render(baseline)?;
            let at_an_edge = choice.queries.render(&baseline.at(vec![1.0]))?;
            Ok(Candidate {
                narrows: queries.total != at_an_edge.total,
                queries,
                choice,
                last: BTreeMap::new(),
                found: BTreeMap::new(),
                still: 0,
                state: State::Unseen,
            })
        };
        let lumped = |together: Together| {
            Ok(Lumped {
                query: render(together.query, baseline)?,
                cure: together.cure,
                seen: false,
            })
        };
        let mut together: Vec<Together> = choices.iter().filter_map(|choice| choice.together).collect();
        together.dedup();
        Ok(Self {
            together: together.into_iter().map(lumped).collect::<Result<_, _>>()?,
            choices: choices.into_iter().map(candidate).collect::<Result<_, _>>()?,
            service: format!("{}/{}", baseline.namespace, baseline.service),
            looked: None,
        })
    }

    /// Asks every choice at `at` and decides.
    pub async fn look(&mut self, source: &dyn MetricSource, at: Timestamp) -> Outlook {
        let mut looks = Vec::with_capacity(self.choices.len());
        for candidate in &self.choices {
            let bad = async {
                match &candidate.queries.bad {
                    Some(bad) => source.instant(bad, at).await,
                    None => Ok(Vec::new()),
                }
            };
            let again = async {
                let before = self.looked.filter(|_| !candidate.found.is_empty())?;
                Some(candidate.queries.totals(source, before).await)
            };
            let (total, bad, again) = futures::join!(candidate.queries.totals(source, at), bad, again);
            looks.push(Look { total, bad, again });
        }
        self.looked = Some(at);
        let absent = |look: &Look| look.total.as_ref().is_ok_and(Vec::is_empty);
        let absent = looks.iter().all(absent);
        for lumped in &mut self.together {
            // Only a reason is searched here: who cannot be asked gives none.
            lumped.seen = absent
                && source
                    .instant(&lumped.query, at)
                    .await
                    .is_ok_and(|found| !found.is_empty());
        }
        self.observe(looks)
    }

    /// Takes in one look at each choice, in their order, and decides. Two looks at least are needed.
    pub fn observe(&mut self, looks: Vec<Look>) -> Outlook {
        for (candidate, look) in self.choices.iter_mut().zip(looks) {
            candidate.observe(look);
        }
        for candidate in &self.choices {
            match candidate.state {
                State::Moving => return Outlook::Found(candidate.choice.clone()),
                State::Late => return Outlook::Late(self.late(&candidate.choice)),
                // It has the right series, and somebody may send a request any moment.
                State::Still if candidate.still < PATIENCE => break,
                State::Still
                | State::Unseen
                | State::Refused(_)
                | State::Absent
                | State::Summed
                | State::Unreadable(_) => {}
            }
        }
        Outlook::Looking(self.missing())
    }

    /// Whether nothing that the last look has shown may yet become what is searched. What was not answered may be.
    pub fn hopeless(&self) -> bool {
        let hopeless = |state: &State| match state {
            State::Refused(error) => !error.transient(),
            State::Absent | State::Summed => true,
            State::Unseen | State::Unreadable(_) | State::Still | State::Late | State::Moving => false,
        };
        self.choices.iter().all(|choice| hopeless(&choice.state))
    }

    /// Whether the provider has answered nothing at the last look.
    pub fn unanswered(&self) -> bool {
        let refused = |state: &State| match state {
            State::Refused(error) => error.transient(),
            State::Absent
            | State::Summed
            | State::Unseen
            | State::Unreadable(_)
            | State::Still
            | State::Late
            | State::Moving => false,
        };
        self.choices.iter().all(|choice| refused(&choice.state))
    }

    /// Counters that are read again later (by a new leader, or after an outage) would seem to run backwards.
    fn late(&self, choice: &Choice) -> String {
        format!(
            "series of {} found for Service {}, but what the provider says of a moment still changes once its `lag` is \
             over: raise `lag` above the time until samples can be seen (VictoriaMetrics hides the last 30 s; clocks may \
             differ), and let one server answer instead of several in turn",
            choice.title(),
            self.service
        )
    }

    /// What is missing, and how to cure it: the most promising choice speaks.
    fn missing(&self) -> String {
        let service = &self.service;
        let with = |wanted: fn(&State) -> bool| self.choices.iter().find(|choice| wanted(&choice.state));
        if let Some(found) = with(|state| *state == State::Still) {
            let name = found.choice.title();
            return match found.still {
                0 => format!(
                    "series of {name} found for Service {service}; a second look will show whether they move"
                ),
                _ => format!(
                    "series of {name} found for Service {service}, but they do not move: send requests through the route"
                ),
            };
        }
        if let Some(summed) = with(|state| *state == State::Summed) {
            let name = summed.choice.title();
            return format!(
                "{name} gives series without instance and pod for Service {service}: a restart cannot be told from \
                 requests in a sum over pods; add `by (instance, pod)` or remove the sum"
            );
        }
        let mut refusals = self.choices.iter().filter_map(|choice| match &choice.state {
            State::Refused(error) => Some(format!("no metrics can be read for Service {service}: {error}")),
            State::Unreadable(why) => Some(format!(
                "series of {} found for Service {service}, but they cannot be counted: {why}",
                choice.choice.title()
            )),
            State::Unseen | State::Absent | State::Summed | State::Still | State::Late | State::Moving => {
                None
            }
        });
        if let Some(refusal) = refusals.next() {
            return refusal;
        }
        if let Some(lumped) = self.together.iter().find(|lumped| lumped.seen) {
            return format!("no series counts Service {service} by itself: {}", lumped.cure);
        }
        format!(
            "no series matched for Service {service}; looked for {}: scrape the gateway or the pods, or give your own query",
            self.names()
        )
    }

    fn names(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for candidate in &self.choices {
            if !names.contains(&candidate.choice.name.as_str()) {
                names.push(&candidate.choice.name);
            }
        }
        names.join(", ")
    }
}

impl Candidate {
    fn observe(&mut self, look: Look) {
        let before = std::mem::take(&mut self.found);
        let (total, bad, again) = match (look.total, look.bad, look.again.transpose()) {
            (Ok(total), Ok(bad), Ok(again)) => (total, bad, again),
            (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
                self.state = State::Refused(error);
                return;
            }
        };
        if total.is_empty() {
            self.state = State::Absent;
            return;
        }
        let nowhere = |sample: &Sample| Target::of(&sample.labels).is_nowhere();
        // A constant `or vector(0)` counts nothing.
        let counting = bad.iter().filter(|sample| sample.value != 0.0);
        if total.iter().chain(counting).any(nowhere) {
            self.state = State::Summed;
            return;
        }
        let samples = ArmSamples {
            total,
            bad,
            ..ArmSamples::default()
        };
        let histogram = self.queries.bad.is_none();
        let read = match readable(&samples, histogram) {
            Err(NoData::TooMany { .. }) if self.narrows => readable(&in_all(&samples), histogram),
            read => read,
        };
        match read {
            Ok(()) => {}
            Err(why) => {
                self.state = State::Unreadable(why);
                return;
            }
        }
        let now = counts(samples.total);
        // Only growth counts: a series that is new or starts again may be the work of a restart.
        let grown = |(labels, value): (&Labels, &f64)| self.last.get(labels).is_some_and(|last| value > last);
        let moves = now.iter().any(grown);
        self.still = if self.last.is_empty() { 0 } else { self.still + 1 };
        let changed = again.is_some_and(|again| counts(again) != before);
        self.state = match (moves, changed) {
            (false, _) => State::Still,
            (true, true) => State::Late,
            (true, false) => State::Moving,
        };
        self.last.extend(now.clone());
        self.found = now;
    }
}

/// What a release reads at least of the buckets that are seen here.
fn in_all(samples: &ArmSamples) -> ArmSamples {
    let whole = |sample: &&Sample| sample.labels.get(EDGE_LABEL).is_some_and(|edge| edge == "+Inf");
    ArmSamples {
        total: samples.total.iter().filter(whole).cloned().collect(),
        ..ArmSamples::default()
    }
}

fn counts(samples: Vec<Sample>) -> BTreeMap<Labels, f64> {
    let finite = samples.into_iter().filter(|sample| sample.value.is_finite());
    finite.map(|sample| (sample.labels, sample.value)).collect()
}
