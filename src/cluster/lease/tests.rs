//! The rules one by one, then whole elections in virtual time against a small API server that knows one Lease.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep, timeout};

use super::fake::Server;
use super::*;
use crate::ports::Clock;

const SECOND: Duration = Duration::from_secs(1);

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> jiff::Timestamp {
        // The wall clock stands still: nothing of the election may depend on it.
        jiff::Timestamp::UNIX_EPOCH
    }
}

fn record(holder: Option<&str>, epoch: Epoch) -> Record {
    Record {
        uid: "u".into(),
        version: "1".into(),
        holder: holder.map(Into::into),
        epoch,
        duration: Some(15 * SECOND),
        renewed: None,
    }
}

#[allow(clippy::unnecessary_wraps, reason = "a cell of the tables below")]
fn seen(holder: Option<&str>, since: Instant) -> Option<Observed> {
    Some(Observed {
        record: Some(record(holder, 3)),
        since,
    })
}

#[allow(clippy::unnecessary_wraps, reason = "a cell of the tables below")]
fn absent(since: Instant) -> Option<Observed> {
    Some(Observed { record: None, since })
}

#[allow(clippy::unnecessary_wraps, reason = "a cell of the tables below")]
fn term(sent: Instant) -> Option<Term> {
    Some(Term::new(Stamp::new("u", 3), sent, &Timing::default()))
}

#[tokio::test(start_paused = true)]
async fn each_sight_has_its_step() {
    let timing = Timing::default();
    let start = Instant::now();
    advance(100 * SECOND).await;
    let now = Instant::now();
    let old = now - 12 * SECOND;
    for (name, observed, term, step) in [
        ("nothing known", None, None, LeaseStep::Read),
        ("no lease", absent(start), None, LeaseStep::Create),
        ("released", seen(None, now), None, LeaseStep::Take),
        (
            "held",
            seen(Some("b"), now),
            None,
            LeaseStep::Follow(now + 15 * SECOND),
        ),
        (
            "nearly silent",
            seen(Some("b"), old),
            None,
            LeaseStep::Follow(now + 3 * SECOND),
        ),
        (
            "silent",
            seen(Some("b"), now - 15 * SECOND),
            None,
            LeaseStep::Take,
        ),
        (
            "an answer was lost",
            seen(Some("me"), old),
            None,
            LeaseStep::Renew,
        ),
        (
            "fresh",
            seen(Some("me"), start),
            term(now),
            LeaseStep::Hold(now + 5 * SECOND),
        ),
        (
            "due",
            seen(Some("me"), start),
            term(now - 5 * SECOND),
            LeaseStep::Renew,
        ),
    ] {
        assert_eq!(
            decide(now, observed.as_ref(), term.as_ref(), "me", &timing),
            step,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_term_ends_when_the_lease_is_not_as_it_was_left() {
    let timing = Timing::default();
    advance(100 * SECOND).await;
    let now = Instant::now();
    let mut tampered = record(Some("me"), 9);
    tampered.version = "2".into();
    let tampered = Some(Observed::update(None, Some(tampered), now));
    for (name, observed, term) in [
        ("too late", seen(Some("me"), now), term(now - 10 * SECOND)),
        ("taken", seen(Some("b"), now), term(now)),
        ("released by hand", seen(None, now), term(now)),
        ("deleted", absent(now), term(now)),
        ("counter changed", tampered, term(now)),
    ] {
        let step = decide(now, observed.as_ref(), term.as_ref(), "me", &timing);
        assert!(matches!(step, LeaseStep::Lose(_)), "{name}: {step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_says_nothing_new_gets_no_new_time() {
    let first = Observed::update(None, Some(record(Some("b"), 1)), Instant::now());
    advance(10 * SECOND).await;
    let mut labelled = record(Some("b"), 1);
    labelled.version = "2".into();
    let second = Observed::update(Some(&first), Some(labelled.clone()), Instant::now());
    assert_eq!(second.since, first.since);
    labelled.renewed = Some("later".into());
    let third = Observed::update(Some(&second), Some(labelled), Instant::now());
    assert_eq!(third.since, first.since + 10 * SECOND);
}

#[test]
fn an_epoch_rises_above_all_that_was_ever_written() {
    assert_eq!(Record::next_epoch(None, 0), 1);
    assert_eq!(Record::next_epoch(Some(&record(None, 7)), 3), 8);
    assert_eq!(Record::next_epoch(Some(&record(None, 1)), 41), 42);
    assert_eq!(
        Record::next_epoch(Some(&record(None, 1)), Epoch::MAX),
        2,
        "a forged stamp is not followed"
    );
}

/// A process that wants to lead.
struct Process {
    leadership: Leadership,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), Lost>>,
}

fn start(server: &Server, name: &str, floor: Epoch) -> Process {
    let settings = Settings {
        namespace: "serin".into(),
        name: "serin".into(),
        identity: identity(name),
        timing: Timing::default(),
    };
    let (elector, leadership) = elector(&server.client(), Arc::new(Fixed), settings);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(elector.run(move || floor, async {
        let _ = stopped.await;
    }));
    Process {
        leadership,
        stop: Some(stop),
        task,
    }
}

async fn leads_within(process: &Process, limit: Duration) -> Term {
    timeout(limit, process.leadership.acquired())
        .await
        .expect("in time")
        .expect("running")
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_a_second_follows_with_one_call_a_renewal() {
    let server = Server::new();
    let first = start(&server, "a", 0);
    assert_eq!(leads_within(&first, SECOND).await.stamp, Stamp::new("u", 1));
    let second = start(&server, "b", 0);
    sleep(SECOND).await;
    let before = server.calls();
    sleep(100 * SECOND).await;
    assert_eq!(
        server.calls() - before,
        20,
        "one call every 5 s, for both together"
    );
    assert_eq!(first.leadership.check(), Some(1));
    assert_eq!(second.leadership.check(), None);
    assert!(second.leadership.known());
    assert_eq!(second.leadership.holder(), first.leadership.holder());
    assert!(first.leadership.still_leader().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_graceful_end_hands_over_at_once() {
    let server = Server::new();
    let mut first = start(&server, "a", 0);
    leads_within(&first, SECOND).await;
    let second = start(&server, "b", 0);
    sleep(7 * SECOND).await;
    first.stop.take().unwrap().send(()).unwrap();
    let term = leads_within(&second, SECOND).await;
    assert_eq!(term.stamp.epoch(), 2, "every acquisition raises the epoch");
    assert_eq!(first.task.await.unwrap(), Ok(()));
    assert_eq!(first.leadership.check(), None);
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_replaced_after_its_time_and_not_before() {
    let server = Server::new();
    let first = start(&server, "a", 0);
    leads_within(&first, SECOND).await;
    let second = start(&server, "b", 5);
    sleep(6 * SECOND).await;
    first.task.abort();
    sleep(13 * SECOND).await;
    assert_eq!(second.leadership.check(), None);
    assert_eq!(
        leads_within(&second, 2 * SECOND).await.stamp.epoch(),
        6,
        "above every status too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_anybody_else_may_start() {
    let server = Server::new();
    let first = start(&server, "a", 0);
    leads_within(&first, SECOND).await;
    server.state.lock().unwrap().mute = true;
    sleep(9 * SECOND).await;
    assert_eq!(first.leadership.check(), Some(1));
    sleep(SECOND).await;
    assert_eq!(first.leadership.check(), None);
    assert!(
        first.task.await.unwrap().is_err(),
        "the process ends with a failure"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_does_not_end_a_term() {
    let server = Server::new();
    let first = start(&server, "a", 0);
    leads_within(&first, SECOND).await;
    server.state.lock().unwrap().lose_answers = true;
    sleep(8 * SECOND).await;
    server.state.lock().unwrap().lose_answers = false;
    sleep(60 * SECOND).await;
    assert_eq!(first.leadership.check(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_three_seconds_for_an_answer_has_a_leader_all_the_same() {
    let server = Server::new();
    server.state.lock().unwrap().delay = 3 * SECOND;
    let first = start(&server, "a", 0);
    leads_within(&first, 10 * SECOND).await;
    sleep(120 * SECOND).await;
    assert_eq!(first.leadership.check(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_take_over_by_somebody_else_ends_the_term_at_the_next_call() {
    let server = Server::new();
    let first = start(&server, "a", 0);
    leads_within(&first, SECOND).await;
    {
        let mut state = server.state.lock().unwrap();
        let mut lease = state.lease.clone().unwrap();
        lease["spec"]["holderIdentity"] = json!("thief");
        server.store(&mut state, lease);
    }
    assert_eq!(
        first.leadership.still_leader().await.unwrap(),
        None,
        "the live read sees it"
    );
    sleep(6 * SECOND).await;
    assert_eq!(first.leadership.check(), None);
    assert!(first.task.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_restarted_process_is_a_new_holder() {
    let server = Server::new();
    let first = start(&server, "a", 0);
    leads_within(&first, SECOND).await;
    first.task.abort();
    let again = start(&server, "a", 0);
    let term = leads_within(&again, 20 * SECOND).await;
    assert_eq!(term.stamp.epoch(), 2);
    assert!(!again.leadership.holds(&Stamp::new("u", 1)));
    assert!(again.leadership.holds(&term.stamp));
}
