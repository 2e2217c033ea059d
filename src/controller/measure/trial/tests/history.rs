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

/// What pods with so many good and bad requests give to a query.
fn counted<'a>(query: &str, t: i64, pods: impl IntoIterator<Item = (&'a str, i64, i64)>) -> Vec<Sample> {
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
    samples.collect()
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
        let samples = counted(query, t, pods);
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

/// A server that began to remember at `since`: it scrapes the second pod of the version on trial one evaluation later. That
/// version's pods failed before they had a weight, and never since.
struct Restarted {
    since: i64,
}

impl MetricSource for Restarted {
    fn instant<'a>(&'a self, query: &'a str, at: Moment) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        let t = at.as_second();
        let pods = if query.starts_with("new") {
            vec![("n1", self.since, 100), ("n2", self.since + INTERVAL, 100)]
        } else {
            vec![("o1", self.since, 1)]
        };
        let scraped = pods.into_iter().filter(|(_, since, _)| *since <= t);
        let samples = counted(query, t, scraped.map(|(pod, _, bad)| (pod, t * 5, bad)));
        Box::pin(async move { Ok(samples) })
    }
}

/// Whether the release is young enough to be read again from its first evaluation on or not.
#[tokio::test]
async fn what_a_pod_counted_before_the_history_was_lost_is_not_counted_when_it_shows_again() {
    let plan = plan();
    for last in [300, 2 * 3_600] {
        let mut whole = begin(&plan);
        while whole.wake().is_some_and(|wake| wake <= second(last)) {
            whole.read(&plan, Ok(&Restarted { since: 0 }), second(last)).await;
        }
        let mut kept = serde_json::to_string(&whole.keep(&plan)).expect("serializes");
        let since = last + 100;
        // A third leader is told what the second one was.
        for leader in 2..=3 {
            let mut other = resume(&plan, &kept);
            for now in (last + 60..since + 200).step_by(5) {
                other.read(&plan, Ok(&Restarted { since }), second(now)).await;
            }
            let evidence = other.judge.evidence().summary;
            assert!(
                evidence.starts_with("error-rate 0 % (0/1,"),
                "leader {leader}: {evidence}"
            );
            kept = serde_json::to_string(&other.keep(&plan)).expect("serializes");
        }
    }
}
