//! A metric provider that answers with whatever it likes, and a token: neither is ever shown.

use super::super::care::{self, Care, ROLLOUT};
use super::SOON;
use crate::scenario::{EVENT, Scenario, trial};
use crate::{Outcome, cluster};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use libtest_mimic::Trial;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![trial("release::bad_input_secrets", secrets)]
}

/// In the file of the bearer token.
const TOKEN: &str = "token-that-nobody-may-see";
/// In every answer that is none.
const BODY: &str = "body-that-nobody-may-see";
const PORT: u16 = 9090;

/// Between the operator and the real Prometheus.
#[derive(Clone)]
struct Fake {
    real: String,
    client: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// `None`: what the real one says.
    answer: Option<Answer>,
    /// Requests that carried the token.
    authorized: usize,
    /// Answers of the present kind.
    given: usize,
}

/// Status, a header, and the body.
type Answer = (u16, Option<(&'static str, String)>, String);

fn answers() -> Vec<Answer> {
    let vector = |inside: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{inside}]}}}}"#)
    };
    let error = format!(r#"{{"status":"error","errorType":"{BODY}","error":"{BODY}"}}"#);
    vec![
        (500, None, BODY.to_owned()),
        (401, Some(("www-authenticate", BODY.to_owned())), BODY.to_owned()),
        (400, None, error.clone()),
        (
            422,
            None,
            format!(r#"{{"status":"error","errorType":"execution","error":"{BODY}"}}"#),
        ),
        (
            302,
            Some(("location", format!("http://{BODY}/"))),
            BODY.to_owned(),
        ),
        (200, None, BODY.to_owned()),
        (200, None, error),
        (
            200,
            None,
            vector(&format!(
                r#"{{"metric":{{"{BODY}":"{BODY}"}},"value":[1,"{BODY}"]}}"#
            )),
        ),
        (
            200,
            None,
            format!(r#"{{"status":"success","data":{{"resultType":"{BODY}","result":[]}}}}"#),
        ),
        (
            200,
            None,
            format!(
                r#"{{"status":"success","warnings":["{BODY}"],"data":{{"resultType":"vector","result":[]}}}}"#
            ),
        ),
    ]
}

async fn answer(
    State(fake): State<Fake>,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let wanted = {
        let mut seen = fake.seen.lock().unwrap();
        let token = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        seen.authorized += usize::from(token == Some(&format!("Bearer {TOKEN}")));
        seen.given += 1;
        seen.answer.clone()
    };
    if let Some((status, header, body)) = wanted {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let headers = header.map(|(name, value)| [(name, value)]);
        return match headers {
            Some(headers) => (status, headers, body).into_response(),
            None => (status, body).into_response(),
        };
    }
    let address = format!("{}{}?{}", fake.real, uri.path(), query.unwrap_or_default());
    let sent = fake
        .client
        .post(address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await;
    match sent {
        Ok(real) => real.bytes().await.unwrap_or_default().into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// In preflight and in mid-step every kind of useless answer holds the release with a reason of Serin's own, and neither
/// the token nor a byte of an answer is in the status, the events, the log or the metrics.
async fn secrets(scenario: Scenario) -> Outcome {
    let fake = Fake {
        real: scenario.cluster.prometheus.clone(),
        client: reqwest::Client::new(),
        seen: Arc::default(),
    };
    let address = format!("{}:{PORT}", cluster::address());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let app = Router::new().fallback(answer).with_state(fake.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let file = scenario.cluster.folder.join("bearer-token");
    std::fs::write(&file, TOKEN)?;
    let provider = format!(
        "apiVersion: serin.dev/v1alpha1\nkind: MetricProvider\nmetadata: {{name: {0}}}\nspec: {{address: \
         \"http://{address}\", allowedNamespaces: [{0}], lag: 500ms, bearerTokenFile: \"{1}\"}}\n",
        scenario.namespace,
        file.display()
    );
    care::allow_lease(&scenario).await?;
    // Whatever any library has to say.
    let loud = ["--log-level", "debug,serin=trace"];
    let arguments = [&care::arguments(&scenario.namespace, "one")[..], &loud].concat();
    let operator = care::ready(scenario.operator(&arguments).await?).await?;
    let steps = "  steps: [{weight: 10, hold: 5m}, {weight: 100, hold: 2s}]\n";
    let care = Care::under(&scenario, operator, ("app:v1", steps), &provider).await?;

    fake.answer(answers().into_iter().next());
    scenario.set_image("app", "app:v2").await?;
    care.wait_reason("MetricsNotFound", &[], SOON).await?;
    shown(&care).await?;
    all_kinds(&care, &fake).await?;
    if care.course().highest() > 0 {
        return Err(format!("traffic moved without metrics: {:?}", care.course().marks).into());
    }
    fake.answer(None);
    care.shifted(10, SOON).await?;
    all_kinds(&care, &fake).await?;
    care.wait_reason("NoData", &["the weight stays at 10 %"], SOON)
        .await?;
    shown(&care).await?;
    server.abort();
    if fake.seen.lock().unwrap().authorized == 0 {
        return Err("the token was never used".into());
    }
    let (course, report) = care.end().await?;
    if course.highest() != 10 {
        return Err(format!("the weight changed without data: {:?}", course.marks).into());
    }
    report.no_failures()
}

impl Fake {
    /// Gives this answer from now on; `None`: what the real one says.
    fn answer(&self, answer: Option<Answer>) {
        let mut seen = self.seen.lock().unwrap();
        (seen.answer, seen.given) = (answer, 0);
    }

    /// Waits until the present answer has been given a few times and could have been told.
    async fn asked(&self) -> Outcome {
        crate::wait::until("the operator to ask", Duration::from_secs(20), || async {
            Ok((self.seen.lock().unwrap().given >= 4).then_some(()))
        })
        .await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

/// Gives each useless answer a few times, and looks whether any of it is shown.
async fn all_kinds(care: &Care, fake: &Fake) -> Outcome {
    for answer in answers() {
        fake.answer(Some(answer));
        fake.asked().await?;
        shown(care).await?;
    }
    Ok(())
}

/// An error if anything that is nobody's business stands anywhere.
async fn shown(care: &Care) -> Outcome {
    let scenario = &care.scenario;
    let rollouts = scenario.list(ROLLOUT, "").await?;
    let providers = scenario
        .list(("serin.dev/v1alpha1", "MetricProvider"), "")
        .await?;
    let events = scenario.list(EVENT, "").await?;
    let metrics = reqwest::get(format!("http://{}:8080/metrics", care.operator.address)).await?;
    let places = [
        ("the Rollouts", serde_json::to_string(&rollouts)?),
        ("the MetricProviders", serde_json::to_string(&providers)?),
        ("the events", serde_json::to_string(&events)?),
        ("the log", std::fs::read_to_string(&care.operator.log)?),
        ("the metrics", metrics.text().await?),
    ];
    for (place, text) in places {
        for secret in [TOKEN, BODY] {
            if let Some(at) = text.find(secret) {
                let from = text[..at]
                    .char_indices()
                    .rev()
                    .nth(200)
                    .map_or(0, |(index, _)| index);
                return Err(format!("{secret} is in {place}: …{}", &text[from..at + secret.len()]).into());
            }
        }
    }
    Ok(())
}
