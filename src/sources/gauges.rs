//! Levels of pods at one time: CPU, memory, connections, or whatever a query of the user's own gives.
//!
//! Invariants: what one look gives is complete for its arm or is not used; both arms are read over the same span; a
//! counter of busy seconds is differenced here, over a span in which every one of its series has moved, because servers
//! that scrape it seldom would otherwise show nothing and then twice as much.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ports::Sample;

/// After so many seconds a counter that stands still is one of a pod that does nothing.
const STILL: f64 = 300.0;
/// How many series one query may give.
const MAX_SERIES: usize = 5_000;

/// Ready-made queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Busy cores.
    Cpu,
    /// Bytes in use.
    Memory,
    /// Open files.
    Connections,
}

/// How the samples of a query become a value for each pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One value a pod.
    Single,
    /// A value for each container, which add up.
    Parts,
    /// A cumulative counter for each container, whose growth a second adds up.
    Counter,
}

/// One way to read a gauge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What messages call it.
    pub name: &'static str,
    /// PromQL with placeholders.
    pub query: String,
    /// How its samples are read.
    pub form: Form,
    /// The values are shares of a limit already.
    pub shares: bool,
}

impl Way {
    /// The user's own query.
    pub fn custom(query: &str) -> Self {
        Self {
            name: "the Rollout's own query",
            query: query.to_owned(),
            form: Form::Single,
            shares: false,
        }
    }

    /// The ways to read what a preset stands for, the better ones first. `limited`: its limit is known.
    pub fn of(preset: Preset, limited: bool) -> Vec<Self> {
        let way = |name, query: &str, form| Self {
            name,
            query: query.to_owned(),
            form,
            shares: false,
        };
        match preset {
            Preset::Cpu => vec![
                way(
                    "cAdvisor",
                    &contained("container_cpu_usage_seconds_total"),
                    Form::Counter,
                ),
                way(
                    "the process itself",
                    &own("process_cpu_seconds_total"),
                    Form::Counter,
                ),
            ],
            Preset::Memory => vec![
                way(
                    "cAdvisor",
                    &contained("container_memory_working_set_bytes"),
                    Form::Parts,
                ),
                way(
                    "the process itself",
                    &own("process_resident_memory_bytes"),
                    Form::Parts,
                ),
            ],
            Preset::Connections if limited => {
                vec![way("the process itself", &own("process_open_fds"), Form::Parts)]
            }
            Preset::Connections => vec![Self {
                shares: true,
                ..way(
                    "the process itself",
                    &format!("{} / {}", own("process_open_fds"), own("process_max_fds")),
                    Form::Single,
                )
            }],
        }
    }
}

fn own(metric: &str) -> String {
    format!(r#"{metric}{{namespace="{{{{namespace}}}}",pod=~"{{{{pods}}}}"}}"#)
}

/// Of cAdvisor: the pod as a whole and its sandbox are counted beside its containers.
fn contained(metric: &str) -> String {
    format!(r#"{metric}{{namespace="{{{{namespace}}}}",pod=~"{{{{pods}}}}",container!="",container!="POD"}}"#)
}

/// Why an answer has no levels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLevels {
    /// A value that no level has.
    #[error("a value is not a number, or negative")]
    Value,
    /// Nobody can tell whose value it is.
    #[error("a value has no label `pod` or `instance`: keep one of them in the query")]
    Nowhere,
    /// More than one value for a pod.
    #[error("pod `{0}` has more than one value: let the query give one, for example with sum by (pod)")]
    Twice(String),
    /// More than the query may give.
    #[error("more than {MAX_SERIES} series: narrow the query")]
    TooMany,
}

/// A pod, and the container in it as far as it is told.
type Part = (String, String);

/// What each pod of both arms used over one span.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    /// Where the span begins.
    pub from: Timestamp,
    /// Where it ends.
    pub at: Timestamp,
    /// The candidate's pods, by name.
    pub candidate: BTreeMap<String, f64>,
    /// The baseline's.
    pub baseline: BTreeMap<String, f64>,
}

/// Follows one gauge of both arms.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    form: Form,
    last: Option<(Timestamp, [BTreeMap<Part, f64>; 2])>,
}

impl Meter {
    /// A meter that has read nothing.
    pub const fn new(form: Form) -> Self {
        Self { form, last: None }
    }

    /// Takes what both arms have given at `at`, the candidate's first; gives what their pods used since the last levels.
    /// `None`: that cannot be told yet.
    ///
    /// # Errors
    /// The answer has no levels; a new span begins with the next one.
    pub fn advance(&mut self, at: Timestamp, answers: [&[Sample]; 2]) -> Result<Option<Levels>, NoLevels> {
        let before = self.last.take();
        let [candidate, baseline] = answers;
        let now = [parts(self.form, candidate)?, parts(self.form, baseline)?];
        let Some((from, last)) = before.filter(|(from, _)| *from < at) else {
            self.last = Some((at, now));
            return Ok(None);
        };
        let seconds = at.duration_since(from).as_secs_f64();
        let used: [BTreeMap<Part, f64>; 2] = if self.form == Form::Counter {
            let pairs = || now.iter().zip(&last);
            let same = pairs().all(|(now, last)| {
                now.len() == last.len()
                    && now
                        .iter()
                        .all(|(part, value)| last.get(part).is_some_and(|it| it <= value))
            });
            if !same {
                // Pods came, went, or restarted.
                self.last = Some((at, now));
                return Ok(None);
            }
            let moved =
                pairs().all(|(now, last)| now.iter().all(|(part, value)| last.get(part) != Some(value)));
            if !moved && seconds < STILL {
                self.last = Some((from, last));
                return Ok(None);
            }
            let pace = |arm: usize| {
                let grown = |(part, value): (&Part, &f64)| {
                    let before = last[arm].get(part).copied().unwrap_or(*value);
                    (part.clone(), (value - before) / seconds)
                };
                now[arm].iter().map(grown).collect()
            };
            [pace(0), pace(1)]
        } else {
            now.clone()
        };
        self.last = Some((at, now));
        let [candidate, baseline] = used.map(by_pod);
        Ok((!candidate.is_empty()).then_some(Levels {
            from,
            at,
            candidate,
            baseline,
        }))
    }
}

fn by_pod(parts: BTreeMap<Part, f64>) -> BTreeMap<String, f64> {
    let mut pods = BTreeMap::new();
    for ((pod, _), value) in parts {
        *pods.entry(pod).or_default() += value;
    }
    pods
}

/// The value of each part; where a container is scraped twice, the larger one.
fn parts(form: Form, samples: &[Sample]) -> Result<BTreeMap<Part, f64>, NoLevels> {
    if samples.len() > MAX_SERIES {
        return Err(NoLevels::TooMany);
    }
    let mut parts: BTreeMap<Part, f64> = BTreeMap::new();
    for sample in samples {
        if !sample.value.is_finite() || sample.value < 0.0 {
            return Err(NoLevels::Value);
        }
        let label = |name: &str| sample.labels.get(name).filter(|value| !value.is_empty()).cloned();
        let pod = label("pod")
            .or_else(|| label("instance"))
            .ok_or(NoLevels::Nowhere)?;
        let container = match form {
            Form::Single => String::new(),
            Form::Parts | Form::Counter => label("container").unwrap_or_default(),
        };
        let known = parts.insert((pod.clone(), container.clone()), sample.value);
        match (known, form) {
            (Some(_), Form::Single) => return Err(NoLevels::Twice(pod)),
            (Some(known), Form::Parts | Form::Counter) => {
                parts.insert((pod, container), sample.value.max(known));
            }
            (None, _) => {}
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: i64) -> Timestamp {
        Timestamp::from_second(at).unwrap()
    }

    fn sample(pod: &str, container: &str, value: f64) -> Sample {
        let labels = [("pod", pod), ("container", container)];
        Sample {
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            value,
            at: second(0),
        }
    }

    #[test]
    fn a_counter_waits_until_every_series_has_moved() {
        let mut meter = Meter::new(Form::Counter);
        let mut read = |at: i64, a: f64, b: f64| {
            let (mine, theirs) = ([sample("a", "app", a)], [sample("b", "app", b)]);
            let levels = meter.advance(second(at), [&mine, &theirs]).unwrap();
            levels.map(|it| {
                (
                    it.candidate["a"],
                    it.baseline["b"],
                    it.at.duration_since(it.from).as_secs(),
                )
            })
        };
        assert_eq!(read(0, 10.0, 20.0), None);
        assert_eq!(read(15, 13.0, 20.0), None, "the other has not been scraped yet");
        assert_eq!(read(30, 16.0, 21.5), Some((0.2, 0.05, 30)));
        assert_eq!(read(45, 2.0, 22.0), None, "it began anew");
        assert_eq!(read(60, 5.0, 23.5), Some((0.2, 0.1, 15)));
        for at in 1..20 {
            assert_eq!(read(60 + 15 * at, 5.0, 23.5), None);
        }
        assert_eq!(read(360, 5.0, 23.5), Some((0.0, 0.0, 300)), "it does nothing");
    }

    #[test]
    fn containers_add_up_and_a_second_scrape_does_not_count() {
        let mut meter = Meter::new(Form::Parts);
        let mine = [
            sample("a", "app", 100.0),
            sample("a", "app", 101.0),
            sample("a", "proxy", 20.0),
        ];
        assert_eq!(meter.advance(second(0), [&mine, &[]]), Ok(None));
        let levels = meter.advance(second(15), [&mine, &[]]).unwrap().unwrap();
        assert_eq!(levels.candidate, [("a".to_owned(), 121.0)].into());
        assert!(levels.baseline.is_empty());
    }

    #[test]
    fn an_answer_that_is_none_is_refused_with_its_remedy() {
        let refused = |samples: &[Sample]| Meter::new(Form::Single).advance(second(0), [samples, &[]]);
        let twice = [sample("a", "x", 1.0), sample("a", "y", 1.0)];
        assert_eq!(refused(&twice), Err(NoLevels::Twice("a".into())));
        assert_eq!(refused(&[sample("", "", 1.0)]), Err(NoLevels::Nowhere));
        assert_eq!(refused(&[sample("a", "", f64::NAN)]), Err(NoLevels::Value));
    }

    #[test]
    fn the_queries_select_the_pods_of_an_arm() {
        let ways = Way::of(Preset::Cpu, true);
        assert_eq!(
            ways[0].query,
            r#"container_cpu_usage_seconds_total{namespace="{{namespace}}",pod=~"{{pods}}",container!="",container!="POD"}"#
        );
        let shares = Way::of(Preset::Connections, false);
        assert!(shares[0].shares && shares[0].query.contains(" / process_max_fds{"));
    }
}
