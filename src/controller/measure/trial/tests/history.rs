//! What a new leader makes of a history that is gone, or older than what it reads again.

use super::*;

/// A new leader in the last step, whose server remembers nothing before second 500.
async fn amnesiac(plan: &Plan, until: i64) -> Trial {
    let mut whole = begin(plan);
    let kept = live(plan, &mut whole, ENTERED[0], ENTERED[2]).await;
    let mut other = resume(plan, &kept[&ENTERED[2]]);
    let server = Server {
        since: 500,
        gone: i64::MAX,
    };
    other.enter(plan, place(2));
    for now in (400..until).step_by(5) {
        other.read(plan, Ok(&server), second(now)).await;
    }
    other
}

#[tokio::test]
async fn without_history_the_step_starts_anew_and_says_so() {
    let evidence = amnesiac(&plan(), 700).await.judge.evidence();
    let why = "restarted: the metric provider has lost the history";
    assert!(evidence.summary.contains(why), "{}", evidence.summary);
    assert!(evidence.at.is_some_and(|at| at > second(500)));
}

#[tokio::test]
async fn time_without_history_was_not_measured() {
    let measured = amnesiac(&plan(), 600).await.judge.evidence().standing.measured;
    assert!((75..=95).contains(&measured.as_secs()), "{measured:?}");
}

/// A server that never forgets; a second pod of the version on trial begins to serve at `NEW`, and fails at once.
struct Grown;

const NEW: i64 = 4_300;

impl MetricSource for Grown {
    fn instant<'a>(&'a self, query: &'a str, at: Moment) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        let t = at.as_second();
        let mut pods = vec![("p1", t * 5, 0)];
        if query.starts_with("new") && t >= NEW {
            pods.push(("p2", 400 + t - NEW, 40));
        }
        let samples = pods.into_iter().flat_map(|(pod, good, bad)| {
            let codes = [("200", good), ("500", bad)];
            let edges = [("0.1", good), ("0.5", good), ("+Inf", good + bad)];
            let (label, values) = match query.rsplit('_').next() {
                Some("bucket") => ("le", edges.to_vec()),
                Some("bad") => ("code", codes[1..].to_vec()),
                _ => ("code", codes.to_vec()),
            };
            let sample = move |(value, count)| sample(&[("instance", pod), (label, value)], count, t);
            values.into_iter().map(sample)
        });
        let samples = samples.collect();
        Box::pin(async move { Ok(samples) })
    }
}

/// Nothing tells when the pod's process started: whoever was there from the first request on knows all the same.
#[tokio::test]
async fn a_new_leader_counts_a_new_pod_like_the_one_before_however_old_the_release_is() {
    let plan = plan();
    let mut whole = begin(&plan);
    whole.read(&plan, Ok(&Grown), second(4_200)).await;
    while whole.wake().is_some_and(|wake| wake <= second(4_200)) {
        whole.read(&plan, Ok(&Grown), second(4_200)).await;
    }
    let kept = serde_json::to_string(&whole.keep(&plan)).expect("serializes");
    let mut other = resume(&plan, &kept);
    for now in (4_230..4_500).step_by(5) {
        for trial in [&mut whole, &mut other] {
            trial.read(&plan, Ok(&Grown), second(now)).await;
        }
    }
    assert!(!other.reads_again());
    assert_eq!(other.judge.save(&plan), whole.judge.save(&plan));
    let bad = whole.judge.evidence().summary;
    assert!(bad.contains("(40/"), "{bad}");
}
