//! A small API server that knows one Lease: conditional merge patches, a watch, and faults.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, StreamBody, combinators::UnsyncBoxBody};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::cluster::client::Clients;

/// An API server with one Lease: conditional merge patches, a watch, and faults.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) state: Arc<Mutex<State>>,
    events: broadcast::Sender<Value>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) lease: Option<Value>,
    version: u64,
    calls: Vec<String>,
    pub(super) mute: bool,
    pub(super) lose_answers: bool,
    /// How long it takes for an answer.
    pub(super) delay: Duration,
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

impl Server {
    pub(super) fn new() -> Self {
        Self {
            state: Arc::default(),
            events: broadcast::channel(64).0,
        }
    }

    pub(super) fn client(&self) -> Clients {
        let server = self.clone();
        let service = tower::service_fn(move |request| server.clone().serve(request));
        Clients::both(Client::new(service, "serin"))
    }

    async fn serve(self, request: Request<Body>) -> Result<Reply, Infallible> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let watch = parts.uri.query().is_some_and(|query| query.contains("watch="));
        let verb = if watch {
            "WATCH".to_owned()
        } else {
            parts.method.to_string()
        };
        let (mute, lose, delay) = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(verb);
            (state.mute, state.lose_answers, state.delay)
        };
        tokio::time::sleep(delay).await;
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
                json_patch::merge(&mut lease, &sent);
                lease
            }
            _ => return failure(405, "MethodNotAllowed"),
        };
        reply(200, &self.store(&mut state, next))
    }

    pub(super) fn store(&self, state: &mut State, mut lease: Value) -> Value {
        state.version += 1;
        lease["metadata"]["resourceVersion"] = json!(state.version.to_string());
        lease["metadata"]["uid"] = json!("u");
        // The clock of the tests stands still, so a renewal must show in another way.
        lease["spec"]["renewTime"] = json!(format!("2026-01-01T00:00:00.{:06}Z", state.version));
        state.lease = Some(lease.clone());
        let _ = self.events.send(json!({"type": "MODIFIED", "object": lease}));
        lease
    }

    pub(super) fn calls(&self) -> usize {
        self.state.lock().unwrap().calls.len()
    }
}
