//! A provider that does not answer, at the real operator: nothing is promoted by it, and nothing is left out for ever.

use std::sync::atomic::AtomicU32;

use serin::ports::{Samples, Span};
use serin::world::MetricFault;

use super::*;

/// The evidence that was kept is of a reading that was fresh when the leader went: no later one may be taken for it.
#[tokio::test(start_paused = true)]
async fn a_new_leader_promotes_nothing_that_it_cannot_measure() {
    for (phase, weight) in [("Judging", 10), ("Baking", 95)] {
        let world = shop();
        let around = tokio::spawn(world.clone().run());
        let mut tasks = lead(&world, Arc::new(world.metrics()), "first").0;
        comes_to(&world, "Idle").await;
        world.set_image("shop", "checkout", "checkout:v2").unwrap();
        comes_to(&world, phase).await;
        tokio::time::sleep(Duration::from_secs(55)).await;
        tasks.shutdown().await;
        world.fault_metrics(MetricFault::Status(503));
        tasks = lead(&world, Arc::new(world.metrics()), "second").0;
        tokio::time::sleep(Duration::from_mins(30)).await;
        let held = status(&world);
        assert_eq!(in_force(&world), weight, "{held}");
        assert!(held["message"].to_string().contains("HTTP 503"), "{held}");
        // It answers again, and everything that happened meanwhile with it.
        world.fault_metrics(MetricFault::None);
        comes_to(&world, "Promoted").await;
        tasks.shutdown().await;
        around.abort();
    }
}

/// A provider that does not answer some of what it is asked, so many times.
pub(super) struct Shaky {
    inner: Arc<dyn MetricSource>,
    /// Of a question and how old the moment is that it is about, in seconds.
    unanswered: fn(&str, i64) -> bool,
    times: AtomicU32,
    world: World,
}

impl Shaky {
    pub(super) fn new(world: &World, unanswered: fn(&str, i64) -> bool, times: u32) -> Self {
        Self {
            inner: Arc::new(world.metrics()),
            unanswered,
            times: times.into(),
            world: world.clone(),
        }
    }

    /// From now on, so many times.
    pub(super) fn fail(&self, times: u32) {
        self.times.store(times, Ordering::Relaxed);
    }

    /// How many times more.
    pub(super) fn left(&self) -> u32 {
        self.times.load(Ordering::Relaxed)
    }

    fn fails(&self, query: &str, at: jiff::Timestamp) -> bool {
        use serin::ports::Clock;
        let age = self.world.clock().now().duration_since(at).as_secs();
        let left = |left: u32| left.checked_sub(1);
        (self.unanswered)(query, age)
            && self
                .times
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
                .is_ok()
    }
}

impl MetricSource for Shaky {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: jiff::Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        if self.fails(query, at) {
            return Box::pin(async { Err(SourceError::Unreachable) });
        }
        self.inner.instant(query, at)
    }

    fn range<'a>(&'a self, query: &'a str, span: Span) -> BoxFuture<'a, Result<Samples, SourceError>> {
        if self.fails(query, span.start) {
            return Box::pin(async { Err(SourceError::Unreachable) });
        }
        self.inner.range(query, span)
    }
}

/// What the release says of its latency, once it has begun.
async fn latency(unanswered: fn(&str, i64) -> bool, times: u32) -> (Value, Duration) {
    let world = shop();
    let source = Shaky::new(&world, unanswered, times);
    let (_tasks, _) = operate_with(&world, Arc::new(source));
    comes_to(&world, "Idle").await;
    tokio::time::sleep(Duration::from_mins(70)).await;
    let before = world.elapsed();
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Judging").await;
    let metrics = status(&world)["release"]["metrics"].take();
    let metrics = metrics.as_array().unwrap();
    let latency = metrics.iter().find(|it| it["name"] == "latency").unwrap();
    (latency.clone(), world.elapsed().saturating_sub(before))
}

#[tokio::test(start_paused = true)]
async fn one_question_without_an_answer_costs_no_metric() {
    let asked = |query: &str, _: i64| query.contains("_bucket");
    let shape = |query: &str, age: i64| query.contains("_bucket") && age > 3_000;
    // At the looks; then only of the past.
    for (unanswered, times) in [(asked as fn(&str, i64) -> bool, 2), (shape, 1), (shape, 2)] {
        let (latency, _) = latency(unanswered, times).await;
        assert!(latency["source"].is_string(), "{latency}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_metric_that_can_never_be_asked_for_is_left_out_in_time_and_for_the_true_reason() {
    let asked = |query: &str, _: i64| query.contains("_bucket");
    let shape = |query: &str, age: i64| query.contains("_bucket") && age > 3_000;
    for unanswered in [asked as fn(&str, i64) -> bool, shape] {
        let (latency, took) = latency(unanswered, u32::MAX).await;
        let note = latency["note"].as_str().unwrap();
        assert!(
            note.starts_with("not judged: ") && note.contains("cannot be reached"),
            "{note}"
        );
        assert!(took < Duration::from_mins(3), "{took:?}");
    }
}
