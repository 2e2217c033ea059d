use std::collections::BTreeMap;

use super::super::BEYOND;
use super::*;
use crate::engine::Revision;
use crate::ports::{BoxFuture, Sample, SourceError};
use crate::sources::queries::Queries;
use crate::stats::Background;

const INTERVAL: i64 = 15;
const LAG: i64 = 5;

/// A server whose counters are functions of time; its history begins at `since`, and that of the old version's
/// gateways ends at `gone`.
struct Server {
    since: i64,
    gone: i64,
}

fn second(at: i64) -> Moment {
    Moment::from_second(at).expect("in range")
}

fn sample(labels: &[(&str, &str)], value: i64, at: i64) -> Sample {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sample {
        labels: labels.collect(),
        value: value as f64,
        at: second(at),
    }
}

impl Server {
    /// Two gateways count; one of them is away now and then, and every first error opens a series.
    fn answer(&self, query: &str, at: i64) -> Vec<Sample> {
        if at < self.since {
            return Vec::new();
        }
        let (new, t) = (query.starts_with("new"), at.max(0));
        if !new && at > self.gone {
            return Vec::new();
        }
        let requests = if new { t * 5 + t * t / 4_000 } else { t * 45 };
        let errors = if new { t / 120 } else { t / 40 };
        let mut samples = Vec::new();
        for gateway in ["g1", "g2"] {
            if gateway == "g2" && (at / INTERVAL) % 7 == 3 {
                continue;
            }
            if query.ends_with("bucket") {
                let within = |share: i64| requests * share / 100;
                for (edge, count) in [("0.1", within(60)), ("0.5", within(97)), ("+Inf", requests)] {
                    samples.push(sample(&[("instance", gateway), ("le", edge)], count, at));
                }
                continue;
            }
            if query.ends_with("total") {
                samples.push(sample(&[("instance", gateway), ("code", "200")], requests, at));
            }
            if errors > 0 {
                samples.push(sample(&[("instance", gateway), ("code", "500")], errors, at));
            }
        }
        samples
    }
}

impl MetricSource for Server {
    fn instant<'a>(&'a self, query: &'a str, at: Moment) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        Box::pin(async move { Ok(self.answer(query, at.as_second())) })
    }
}

fn plan() -> Plan {
    Plan::with_bake_share(5)
}

fn learned() -> Learned {
    let mut learned = Learned {
        pace: Some(50.0),
        ..Learned::default()
    };
    let kinds = [
        (
            "error-rate",
            Queries::custom("{{service}}_total", "{{service}}_bad"),
            vec![],
        ),
        (
            "latency",
            Queries::histogram("{{service}}_bucket", 1.0),
            vec![(0.1, 0.1), (0.5, 0.5)],
        ),
    ];
    for (metric, queries, edges) in kinds {
        let past = vec![Background::new(Some(0.001), 1.2, 1, 0.0); edges.len().max(1)];
        learned.subjects.push(Subject {
            metric: metric.to_owned(),
            found: "test".to_owned(),
            queries,
            edges,
        });
        learned.briefs.push(crate::engine::judge::Brief {
            metric: metric.to_owned(),
            routed: false,
            past,
        });
    }
    learned
}

fn arm(service: &str) -> Arm {
    Arm {
        namespace: "shop".into(),
        service: service.into(),
        ports: vec![80],
        pods: service.into(),
        edges: Vec::new(),
    }
}

fn pace() -> Pace {
    Pace {
        interval: Duration::from_secs(INTERVAL.unsigned_abs()),
        lag: Duration::from_secs(LAG.unsigned_abs()),
    }
}

/// When the release of these tests climbs: rung by rung.
const ENTERED: [i64; 4] = [3, 128, 322, 611];
const END: i64 = 900;

fn place(rung: usize) -> Place {
    Place {
        rung,
        entered: second(ENTERED[rung]),
        pods: 1 + rung as u32,
    }
}

fn rung_at(now: i64) -> usize {
    ENTERED.iter().rposition(|entered| *entered <= now).unwrap_or(0)
}

fn begin(plan: &Plan) -> Trial {
    let arms = (&arm("new"), &arm("old"));
    Trial::begin(plan, id(), &learned(), arms, (place(0), true, pace())).expect("a trial")
}

fn id() -> TrialId {
    TrialId::climbing(&Revision::named("v2"))
}

/// Reads up to `now`, once a second from `from` on, and gives what was kept at each transition.
async fn live(plan: &Plan, trial: &mut Trial, from: i64, now: i64) -> BTreeMap<i64, String> {
    // Without a share of the requests the old version may not be counted at all.
    let gone = if plan.is_alone(3) {
        ENTERED[3] + 20
    } else {
        i64::MAX
    };
    let server = Server { since: 0, gone };
    let mut kept = BTreeMap::new();
    for second_now in from..=now {
        // The commit that enters a rung keeps what is known before.
        if ENTERED.contains(&second_now) {
            let text = serde_json::to_string(&trial.keep(plan)).expect("serializes");
            kept.insert(second_now, text);
        }
        trial.enter(plan, place(rung_at(second_now)));
        trial.read(plan, Ok(&server), second(second_now)).await;
    }
    kept
}

fn resume(plan: &Plan, kept: &str) -> Trial {
    let arms = (&arm("new"), &arm("old"));
    let kept: Kept = serde_json::from_str(kept).expect("reads");
    Trial::resume(plan, kept, arms, pace()).expect("resumes")
}

#[tokio::test]
async fn a_trial_cut_at_any_tick_ends_in_the_same_bits() {
    cut_at_any_tick(&plan(), "beside it").await;
}

#[tokio::test]
async fn so_does_one_whose_candidate_has_all_traffic_in_the_end() {
    cut_at_any_tick(
        &Plan::with_bake_share(0),
        "with nothing beside it, 0.1 % in the past",
    )
    .await;
}

async fn cut_at_any_tick(plan: &Plan, told: &str) {
    let mut whole = begin(plan);
    let kept = live(plan, &mut whole, ENTERED[0], END).await;
    let end = whole.judge.save(plan);
    let evidence = whole.judge.evidence();
    assert!(evidence.summary.contains(told), "{}", evidence.summary);
    assert!(evidence.silent.is_none() && evidence.at.is_some_and(|at| at > second(END - 25)));
    for cut in (ENTERED[0]..END).step_by(INTERVAL as usize) {
        // A new leader half a minute later; without one nothing is entered meanwhile.
        if ENTERED
            .iter()
            .any(|entered| (cut + 1..=cut + 30).contains(entered))
            || cut + 30 > END
        {
            continue;
        }
        let (_, text) = kept.range(..=cut).next_back().expect("kept");
        let mut other = resume(plan, text);
        live(plan, &mut other, cut + 30, END).await;
        assert_eq!(other.judge.save(plan), end, "cut at {cut}");
    }
}

/// When pods of the version on trial become ready for the first time, each in mid-step.
const ARRIVALS: [i64; 4] = [190, 340, 411, 700];

fn arrive(plan: &Plan, trial: &mut Trial, ready: i64) {
    let pod = crate::cluster::observe::ready::Newcomer {
        uid: ready.to_string(),
        created: second(ready - 8),
        ready: second(ready),
    };
    let step = trial.step(plan);
    trial.young.see(vec![pod], step);
}

/// Like [`live`], with pods that come. What is known of them is committed at once.
async fn live_with_pods(plan: &Plan, trial: &mut Trial, from: i64) -> BTreeMap<i64, String> {
    let mut kept = BTreeMap::new();
    let mut at = from;
    for ready in ARRIVALS.into_iter().filter(|ready| *ready >= from) {
        kept.extend(live(plan, trial, at, ready - 1).await);
        arrive(plan, trial, ready);
        kept.extend(live(plan, trial, ready, ready).await);
        kept.insert(
            ready,
            serde_json::to_string(&trial.keep(plan)).expect("serializes"),
        );
        at = ready + 1;
    }
    kept.extend(live(plan, trial, at, END).await);
    kept
}

/// A new leader finds the same readings young as the one before, whether or not those pods are still there.
#[tokio::test]
async fn a_trial_with_young_pods_cut_at_any_tick_ends_in_the_same_bits() {
    let plan = plan();
    let mut whole = begin(&plan);
    let kept = live_with_pods(&plan, &mut whole, ENTERED[0]).await;
    let end = whole.judge.save(&plan);
    let mut without = begin(&plan);
    live(&plan, &mut without, ENTERED[0], END).await;
    assert_ne!(without.judge.save(&plan), end, "young pods make no difference");
    let mut cuts = 0;
    for cut in (ENTERED[0]..END - 20).step_by(5) {
        let unled = cut + 1..=cut + 20;
        if ENTERED.iter().chain(&ARRIVALS).any(|event| unled.contains(event)) {
            continue;
        }
        let (_, text) = kept.range(..=cut).next_back().expect("kept");
        for still_there in [true, false] {
            let mut other = resume(&plan, text);
            for ready in ARRIVALS.into_iter().filter(|ready| still_there && *ready <= cut) {
                arrive(&plan, &mut other, ready);
            }
            live_with_pods(&plan, &mut other, cut + 20).await;
            assert_eq!(other.judge.save(&plan), end, "cut at {cut}, {still_there}");
        }
        cuts += 1;
    }
    assert!(cuts > 80, "{cuts}");
}

#[tokio::test]
async fn what_is_read_but_not_waited_for_is_not_lost() {
    let plan = plan();
    let (mut whole, mut hasty) = (begin(&plan), begin(&plan));
    let server = Server {
        since: 0,
        gone: i64::MAX,
    };
    for now in (10..END).step_by(10) {
        whole.enter(&plan, place(rung_at(now)));
        hasty.enter(&plan, place(rung_at(now)));
        whole.read(&plan, Ok(&server), second(now)).await;
        // Given up at its first await, then asked again.
        let mut read = Box::pin(hasty.read(&plan, Ok(&server), second(now)));
        let _ = futures::poll!(read.as_mut());
        drop(read);
        hasty.read(&plan, Ok(&server), second(now)).await;
    }
    assert_eq!(hasty.judge.save(&plan), whole.judge.save(&plan));
}

/// The owner may change the steps while promoted pods have all traffic, which is beyond any ladder.
#[tokio::test]
async fn what_is_kept_of_a_bake_can_be_used_under_more_steps() {
    let plan = plan();
    let arms = (&arm("new"), &arm("old"));
    let server = Server {
        since: 0,
        gone: i64::MAX,
    };
    let returns = TrialId::returning(&Revision::named("v2"));
    let mut trial =
        Trial::begin(&plan, returns, &learned(), arms, (place(0), false, pace())).expect("a trial");
    trial.read(&plan, Ok(&server), second(100)).await;
    let bake = Place {
        rung: BEYOND,
        entered: second(128),
        pods: 4,
    };
    trial.enter(&plan, bake);
    trial.read(&plan, Ok(&server), second(200)).await;
    assert_eq!(trial.judge.evidence().rung, BEYOND);
    let mut longer = plan.clone();
    longer.rungs.splice(0..0, plan.rungs.clone());
    let resumed = Trial::resume(&longer, trial.keep(&plan), arms, pace());
    assert_eq!(resumed.map(|trial| trial.place), Ok(bake));
}

#[test]
fn what_is_kept_is_small() {
    let plan = plan();
    let kept = serde_json::to_string(&begin(&plan).keep(&plan)).expect("serializes");
    assert!(kept.len() < 2 * 2_048, "{} bytes for two metrics", kept.len());
}

mod away;
mod excused;
mod gauges;
mod history;
