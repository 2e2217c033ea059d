//! The tower service behind the `kube` client: faults, routing, answers, trace.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use tower::{BoxError, Service};

use super::discovery;
use super::read;
use super::refusal::Refusal;
use super::request::{Asked, Part, Target};
use super::watch::Watch;
use super::write::{Booking, Writer};
use crate::world::faults::Fault;
use crate::world::json;
use crate::world::state::{Shared, State};
use crate::world::trace::Call;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The API server as one user sees it.
#[derive(Clone)]
pub(in crate::world) struct Server {
    pub(in crate::world) shared: Arc<Shared>,
    pub(in crate::world) user: Arc<str>,
}

impl Service<Request<Body>> for Server {
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            let asked = Asked::new(&parts, body.to_vec(), &server.user);
            if !server.shared.latency.is_zero() {
                tokio::time::sleep(server.shared.latency).await;
            }
            answer(&server.shared, &asked).await
        })
    }
}

async fn answer(shared: &Arc<Shared>, asked: &Asked) -> Result<Answer, BoxError> {
    let target = asked.target();
    let verb = asked.verb(target.as_ref());
    let fault = shared
        .lock()
        .faults
        .hit(verb, &resource_of(target.as_ref()), &asked.user);
    let broken = || Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
    match fault {
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::Hang) => {
            record(shared, asked, target.as_ref(), 0);
            return std::future::pending().await;
        }
        Some(Fault::Break) => {
            record(shared, asked, target.as_ref(), 0);
            return broken();
        }
        Some(Fault::Status(code)) => {
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            record(shared, asked, target.as_ref(), code.as_u16());
            return Ok(refused(&injected(asked, target.as_ref(), code)));
        }
        Some(Fault::LoseAnswer | Fault::BreakAfter) | None => {}
    }
    let answer = carry_out(shared, asked, target.as_ref());
    let lost = matches!(fault, Some(Fault::LoseAnswer | Fault::BreakAfter));
    record(
        shared,
        asked,
        target.as_ref(),
        if lost { 0 } else { answer.status().as_u16() },
    );
    match fault {
        Some(Fault::LoseAnswer) => std::future::pending().await,
        Some(Fault::BreakAfter) => broken(),
        Some(Fault::Status(_) | Fault::Hang | Fault::Break | Fault::Delay(_)) | None => Ok(answer),
    }
}

fn resource_of(target: Option<&Target>) -> String {
    match target {
        None => String::new(),
        Some(target) if target.part == Part::Main => target.resource.plural.to_owned(),
        Some(target) => format!("{}/{}", target.resource.plural, target.part.name()),
    }
}

fn record(shared: &Shared, asked: &Asked, target: Option<&Target>, status: u16) {
    let query = asked
        .query
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect::<Vec<_>>()
        .join("&");
    let path = if query.is_empty() {
        asked.path.clone()
    } else {
        format!("{}?{query}", asked.path)
    };
    let call = Call {
        at: shared.now(),
        user: asked.user.clone(),
        verb: asked.verb(target).to_owned(),
        resource: resource_of(target),
        path,
        status,
    };
    shared.lock().trace.record(call);
}

fn injected(asked: &Asked, target: Option<&Target>, code: StatusCode) -> Refusal {
    let Some(target) = target else {
        return Refusal::injected(code);
    };
    let name = target.name.as_deref().unwrap_or_default();
    match code {
        StatusCode::FORBIDDEN => {
            let verb = if asked.verb(Some(target)) == "apply" {
                "patch"
            } else {
                asked.verb(Some(target))
            };
            Refusal::forbidden(target.resource, &target.namespace, name, &asked.user, verb)
        }
        StatusCode::CONFLICT => Refusal::stale(target.resource, name),
        StatusCode::NOT_FOUND => Refusal::not_found(target.resource, name),
        _ => Refusal::injected(code),
    }
}

fn carry_out(shared: &Arc<Shared>, asked: &Asked, target: Option<&Target>) -> Answer {
    let Some(target) = target else {
        let found = discovery::answer(&asked.path, &asked.accept);
        return found.map_or_else(
            || refused(&Refusal::no_such_path()),
            |body| json_answer(200, &body),
        );
    };
    let now = shared.now();
    let mut state = shared.lock();
    if asked.verb(Some(target)) == "watch" {
        let opened = Watch::open(Arc::clone(shared), &state.store, state.watches_cut, asked, target);
        return match opened {
            Ok(watch) => stream_answer(watch),
            Err(refusal) => refused(&refusal),
        };
    }
    let before = state.store.version();
    let result = execute(&mut state, now, asked, target);
    if state.store.version() != before {
        shared.changed.notify_waiters();
    }
    match result {
        Ok((code, body)) => json_answer(code, &body),
        Err(refusal) => refused(&refusal),
    }
}

fn execute(
    state: &mut State,
    now: jiff::Timestamp,
    asked: &Asked,
    target: &Target,
) -> Result<(u16, Value), Refusal> {
    let mut writer = Writer {
        store: &mut state.store,
        ids: &mut state.ids,
        schemas: &state.schemas,
        now,
        user: &asked.user,
        manager: asked.manager(),
        dry_run: asked.dry_run(),
    };
    let shaped = |object: &Value| read::shape(asked, object);
    match (asked.method.as_str(), target.name.as_deref()) {
        ("GET", Some(name)) => Ok((200, read::get(writer.store, asked, target, name)?)),
        ("GET", None) => Ok((200, read::list(writer.store, asked, target)?)),
        ("POST", None) if target.resource.plural == "selfsubjectaccessreviews" => {
            let mut review = asked.json()?;
            review["status"] = json!({"allowed": true});
            Ok((201, review))
        }
        ("POST", None) => {
            let object = asked.json()?;
            let made = writer.create(target.resource, &target.namespace, object, Booking::Update)?;
            Ok((201, shaped(&made)))
        }
        ("PUT", Some(name)) => Ok((200, shaped(&writer.replace(target, name, asked.json()?)?))),
        ("PATCH", Some(name)) => {
            let (object, made) = writer.patch(asked, target, name)?;
            Ok((if made { 201 } else { 200 }, shaped(&object)))
        }
        ("DELETE", Some(name)) if target.part == Part::Main => {
            let options = options(&mut writer, asked)?;
            Ok((
                200,
                writer.delete(target.resource, &target.namespace, name, &options)?,
            ))
        }
        ("DELETE", None) => {
            let list = read::list(writer.store, asked, target)?;
            let options = options(&mut writer, asked)?;
            for object in json::items(&list, "/items") {
                let (namespace, name) = (json::namespace(object), json::name(object));
                writer.delete(target.resource, namespace, name, &options)?;
            }
            Ok((200, list))
        }
        _ => Err(Refusal::method_not_allowed()),
    }
}

/// The `DeleteOptions` of a request: its body, else its query.
fn options(writer: &mut Writer<'_>, asked: &Asked) -> Result<Value, Refusal> {
    let mut options = if asked.body.is_empty() {
        json!({})
    } else {
        asked.json()?
    };
    if !asked.param("propagationPolicy").is_empty() {
        options["propagationPolicy"] = asked.param("propagationPolicy").into();
    }
    if let Ok(seconds) = asked.param("gracePeriodSeconds").parse::<i64>() {
        options["gracePeriodSeconds"] = seconds.into();
    }
    writer.dry_run |= json::items(&options, "/dryRun").iter().any(|mode| mode == "All");
    Ok(options)
}

fn refused(refusal: &Refusal) -> Answer {
    json_answer(refusal.code.as_u16(), &refusal.body())
}

fn json_answer(code: u16, body: &Value) -> Answer {
    respond(code, Full::new(Bytes::from(body.to_string())).boxed_unsync())
}

fn stream_answer(watch: Watch) -> Answer {
    respond(200, StreamBody::new(watch.stream()).boxed_unsync())
}

fn respond(code: u16, body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
