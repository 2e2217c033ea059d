//! The rules one by one, then whole elections in virtual time against a small API server that knows one Lease.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep, timeout};

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

#[tokio::test(start_paused = true)]
async fn the_rules() {
    let timing = Timing::default();
    let start = Instant::now();
    advance(100 * SECOND).await;
    let now = Instant::now();
    let seen = |holder, since| {
        Some(Observed {
            record: Some(record(holder, 3)),
            since,
        })
    };
    let term = |sent| Some(Term::new(Stamp::new("u", 3), sent, &timing));
    let old = now - 12 * SECOND;
    let gone = Some(Observed {
        record: None,
        since: start,
    });
    let mut tampered = seen(Some("me"), now);
    if let Some(Observed {
        record: Some(record), ..
    }) = &mut tampered
    {
        record.epoch = 9;
    }
    for (name, observed, term, step) in [
        ("nothing known", None, None, LeaseStep::Read),
        ("no lease", gone.clone(), None, LeaseStep::Create),
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
    for (name, observed, term) in [
        ("too late", seen(Some("me"), now), term(now - 10 * SECOND)),
        ("taken", seen(Some("b"), now), term(now)),
        ("released by hand", seen(None, now), term(now)),
        ("deleted", gone, term(now)),
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

/// An API server with one Lease: conditional merge patches, a watch, and faults.
#[derive(Clone)]
struct Server {
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<Value>,
}

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    calls: Vec<String>,
    mute: bool,
    lose_answers: bool,
}

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn reply(code: u16, body: &Value) -> Reply {
    let body = http_body_util::Full::new(Bytes::from(body.to_string())).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn failure(code: u16, reason: &str) -> Reply {
    let details = json!({"name": "serin"});
    reply(
        code,
        &json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason, "details": details}),
    )
}

fn merge(target: &mut Value, patch: &Value) {
    let (Some(fields), true) = (patch.as_object(), target.is_object()) else {
        *target = patch.clone();
        return;
    };
    for (key, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

impl Server {
    fn new() -> Self {
        Self {
            state: Arc::default(),
            events: broadcast::channel(64).0,
        }
    }

    fn client(&self) -> Clients {
        let server = self.clone();
        let service = tower::service_fn(move |request| server.clone().serve(request));
        Clients::both(Client::new(service, "serin"))
    }

    async fn serve(self, request: Request<Body>) -> Result<Reply, Infallible> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map(|all| all.to_bytes()).unwrap_or_default();
        let watch = parts.uri.query().is_some_and(|query| query.contains("watch="));
        let verb = if watch {
            "WATCH".to_owned()
        } else {
            parts.method.to_string()
        };
        let (mute, lose) = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(verb);
            (state.mute, state.lose_answers)
        };
        if mute {
            std::future::pending::<()>().await;
        }
        if watch {
            assert!(parts.uri.query().unwrap().contains("metadata.name%3Dserin"));
            return Ok(self.watch());
        }
        let answer = self.answer(&parts.method, &bytes);
        if lose && parts.method != Method::GET {
            std::future::pending::<()>().await;
        }
        Ok(answer)
    }

    fn watch(&self) -> Reply {
        let events = futures::stream::unfold(self.events.subscribe(), |mut events| async {
            let event = events.recv().await.ok()?;
            let frame = http_body::Frame::data(Bytes::from(format!("{event}\n")));
            Some((Ok::<_, Infallible>(frame), events))
        });
        Response::new(BodyExt::boxed_unsync(StreamBody::new(events)))
    }

    fn answer(&self, method: &Method, body: &[u8]) -> Reply {
        let mut state = self.state.lock().unwrap();
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        let next = match (method, state.lease.clone()) {
            (&Method::GET, Some(lease)) => return reply(200, &lease),
            (&Method::GET | &Method::PATCH, None) => return failure(404, "NotFound"),
            (&Method::POST, Some(_)) => return failure(409, "AlreadyExists"),
            (&Method::POST, None) => sent,
            (&Method::PATCH, Some(mut lease)) => {
                let version = &sent["metadata"]["resourceVersion"];
                assert!(version.is_string(), "an unconditional write");
                if *version != lease["metadata"]["resourceVersion"] {
                    return failure(409, "Conflict");
                }
                merge(&mut lease, &sent);
                lease
            }
            _ => return failure(405, "MethodNotAllowed"),
        };
        reply(200, &self.store(&mut state, next))
    }

    fn store(&self, state: &mut State, mut lease: Value) -> Value {
        state.version += 1;
        lease["metadata"]["resourceVersion"] = json!(state.version.to_string());
        lease["metadata"]["uid"] = json!("u");
        // The clock of the tests stands still, so a renewal must show in another way.
        lease["spec"]["renewTime"] = json!(format!("2026-01-01T00:00:00.{:06}Z", state.version));
        state.lease = Some(lease.clone());
        let _ = self.events.send(json!({"type": "MODIFIED", "object": lease}));
        lease
    }

    fn calls(&self) -> usize {
        self.state.lock().unwrap().calls.len()
    }
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
