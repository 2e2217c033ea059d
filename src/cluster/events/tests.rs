//! What reaches the API server, and what never does.

use std::convert::Infallible;
use std::sync::Mutex;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use super::*;

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_800_000_000).unwrap()
    }
}

type Log = Arc<Mutex<Vec<(String, Value)>>>;

fn server() -> (Clients, Log) {
    let log = Log::default();
    let seen = log.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let seen = seen.clone();
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let line = format!("{} {}", parts.method, parts.uri.path());
            seen.lock()
                .unwrap()
                .push((line, serde_json::from_slice(&bytes).unwrap()));
            Ok::<_, Infallible>(Response::new(Full::new(bytes)))
        }
    });
    (Clients::both(Client::new(service, "shop")), log)
}

fn notice(note: &str) -> Notice {
    let reference = |kind: &str, api_version: &str| Reference {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: "shop".into(),
        name: "checkout".into(),
        uid: Some("u-1".into()),
    };
    Notice {
        regarding: reference("Rollout", "serin.dev/v1alpha1"),
        related: Some(reference("HTTPRoute", "gateway.networking.k8s.io/v1")),
        reason: "RolledBack".into(),
        action: "Rollback",
        warning: true,
        note: note.into(),
    }
}

#[tokio::test]
async fn an_event_says_what_where_and_why() {
    let (clients, log) = server();
    let (events, publisher) = events(&clients, Arc::new(Fixed), "serin-0_1");
    events.publish(notice("errors 2 % against 0.1 %"));
    events.publish(notice("errors 2 % against 0.1 %"));
    drop(events);
    publisher.run().await;
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 1, "a repetition is not written at once");
    let (line, event) = &log[0];
    assert_eq!(line, "POST /apis/events.k8s.io/v1/namespaces/shop/events");
    assert_eq!(event["note"], "errors 2 % against 0.1 %");
    assert_eq!(
        (&event["type"], &event["reason"]),
        (&json!("Warning"), &json!("RolledBack"))
    );
    assert_eq!(event["regarding"]["uid"], "u-1");
    assert_eq!(event["related"]["kind"], "HTTPRoute");
    assert_eq!(event["reportingController"], "serin.dev/controller");
    assert_eq!(event["eventTime"], "2027-01-15T08:00:00.000000Z");
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let (clients, _) = server();
    let (events, publisher) = events(&clients, Arc::new(Fixed), "serin-0_1");
    for n in 0..QUEUE + 3 {
        events.publish(notice(&n.to_string()));
    }
    assert_eq!(events.dropped(), 3);
    drop(publisher);
    events.publish(notice("nobody listens"));
    assert_eq!(events.dropped(), 4);
}

#[test]
fn a_note_is_cut_between_characters() {
    let mut note = "é".repeat(600);
    cut(&mut note, NOTE_MAX);
    assert!(note.len() <= NOTE_MAX && note.ends_with('…'), "{}", note.len());
    let mut short = "x".repeat(NOTE_MAX);
    cut(&mut short, NOTE_MAX);
    assert_eq!(short.len(), NOTE_MAX);
}
