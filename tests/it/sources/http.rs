//! The Prometheus client against a server that answers in every wrong way, over real sockets.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use jiff::Timestamp;
use serin::ports::{MetricSource, Sample, SourceError};
use serin::sources::prometheus::{MAX_ANSWER, SettingsError};
use serin::sources::{Prometheus, Settings};

const QUERY: &str = r#"http_requests_total{pod=~"a+b c"}"#;
/// Stands in every answer's text; must not come out of the client.
const SECRET: &str = "hunter2";

/// What the server has been asked: headers and form.
type Asked = Arc<Mutex<Vec<(HeaderMap, String)>>>;

fn vector(result: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#)
}

fn answer(case: &str) -> (u16, String) {
    let one = r#"{"metric":{"__name__":"x","pod":"a"},"value":[1000.5,"41"]}"#;
    let of = |kind: &str, result: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#)
    };
    let error = |class: &str| format!(r#"{{"status":"error","errorType":"{class}","error":"{SECRET}"}}"#);
    let plain = |text: &str| (200, text.to_owned());
    match case {
        "good" | "base/path" => (200, vector(one)),
        "empty" => (200, vector("")),
        "special" => {
            let entry = |pod, value| format!(r#"{{"metric":{{"pod":"{pod}"}},"value":[1000.5,"{value}"]}}"#);
            (
                200,
                vector(&[entry("a", "NaN"), entry("b", "+Inf"), entry("c", "-Inf")].join(",")),
            )
        }
        "error-in-200" => (200, error("execution")),
        "odd-error-in-200" => (200, error(SECRET)),
        "scalar" => (200, of("scalar", r#"[1000.5,"1"]"#)),
        "string" => (200, of("string", &format!(r#"[1000.5,"{SECRET}"]"#))),
        "matrix" => (200, of("matrix", "[]")),
        "odd-type" => (200, of(SECRET, "[]")),
        "no-data" => plain(r#"{"status":"success"}"#),
        "odd-status" => plain(r#"{"status":"hunter2","data":{"resultType":"vector","result":[]}}"#),
        "unreadable" => (200, vector(r#"{"metric":{},"value":[1000.5,"hunter2"]}"#)),
        "number" => (200, vector(r#"{"metric":{},"value":[1000.5]}"#)),
        "histogram" => (200, vector(r#"{"metric":{},"histogram":[1000.5,{"count":"1"}]}"#)),
        "no-time" => (200, vector(r#"{"metric":{},"value":[1e300,"1"]}"#)),
        "duplicate" => (
            200,
            vector(
                &[
                    one,
                    r#"{"metric":{"__name__":"y","pod":"a"},"value":[1000.5,"2"]}"#,
                ]
                .join(","),
            ),
        ),
        "partial" => {
            plain(r#"{"status":"success","warnings":["hunter2"],"data":{"resultType":"vector","result":[]}}"#)
        }
        "half" => {
            plain(r#"{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}"#)
        }
        "whole" => {
            plain(r#"{"status":"success","isPartial":false,"data":{"resultType":"vector","result":[]}}"#)
        }
        "remark" => plain(
            r#"{"status":"success","warnings":["PromQL info: x"],"data":{"resultType":"vector","result":[]}}"#,
        ),
        "html" => plain("<html>hunter2</html>"),
        "nothing" => plain(""),
        "deep" => (200, "[".repeat(100_000)),
        "cut" => plain(r#"{"status":"success","data":{"resultType":"vec"#),
        "huge" => (200, vector(&" ".repeat(MAX_ANSWER))),
        "bad-query" => (400, error("bad_data")),
        "bad-page" => (400, SECRET.into()),
        "too-costly" => (422, error("execution")),
        _ => (case.parse().expect("a status"), error("internal")),
    }
}

async fn handle(State(asked): State<Asked>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let form = String::from_utf8(body.to_vec()).expect("a form");
    asked.lock().expect("unpoisoned").push((headers, form));
    let case = uri
        .path()
        .strip_suffix("/api/v1/query")
        .expect("the query's path");
    if case == "/hang" {
        std::future::pending::<()>().await;
    }
    let (status, text) = answer(case.trim_start_matches('/'));
    let builder = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    let builder = match status {
        300..=399 => builder.header("location", "/good/api/v1/query"),
        _ => builder,
    };
    builder.body(Body::from(text)).expect("a response")
}

struct Server {
    port: u16,
    asked: Asked,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start() -> Self {
        let asked = Asked::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().fallback(handle).with_state(asked.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serves");
        });
        Self { port, asked, task }
    }

    fn settings(&self, case: &str) -> Settings {
        Settings::of(
            format!("http://127.0.0.1:{}/{case}", self.port)
                .parse()
                .expect("an address"),
        )
    }

    async fn ask(&self, case: &str) -> Result<Vec<Sample>, SourceError> {
        ask(&self.settings(case)).await
    }
}

async fn ask(settings: &Settings) -> Result<Vec<Sample>, SourceError> {
    let at = Timestamp::from_millisecond(1_000_500).expect("in range");
    Prometheus::connect(settings)
        .expect("good settings")
        .instant(QUERY, at)
        .await
}

#[tokio::test]
async fn a_good_answer_is_read_and_the_question_is_exact() {
    let server = Server::start().await;
    for case in ["good", "base/path", "base/path/"] {
        let samples = server.ask(case).await.expect("samples");
        assert_eq!(samples.len(), 1);
        assert_eq!(samples[0].labels, [("pod".to_owned(), "a".to_owned())].into());
        assert_eq!(
            (samples[0].value, samples[0].at.as_millisecond()),
            (41.0, 1_000_500)
        );
    }
    let (_, form) = server.asked.lock().expect("unpoisoned")[0].clone();
    assert_eq!(
        form,
        "query=http_requests_total%7Bpod%3D%7E%22a%2Bb+c%22%7D&time=1000.500&timeout=5000ms"
    );
    assert_eq!(server.ask("empty").await, Ok(vec![]));
    assert_eq!(server.ask("remark").await, Ok(vec![]));
    assert_eq!(server.ask("whole").await, Ok(vec![]));
    let special = server.ask("special").await.expect("samples");
    assert!(special[0].value.is_nan());
    assert_eq!(
        (special[1].value, special[2].value),
        (f64::INFINITY, f64::NEG_INFINITY)
    );
}

#[tokio::test]
async fn every_bad_answer_has_its_class_and_tells_nothing_of_its_text() {
    let server = Server::start().await;
    let unusable = |text: &str| SourceError::Unusable(text.into());
    let refused = |text: &str| SourceError::Refused(text.into());
    let cases = [
        ("error-in-200", refused("an error in a good answer: execution")),
        (
            "odd-error-in-200",
            refused("an error in a good answer: no documented reason"),
        ),
        (
            "scalar",
            unusable("the query gives a scalar; it must give a vector"),
        ),
        (
            "string",
            unusable("the query gives a string; it must give a vector"),
        ),
        (
            "matrix",
            unusable("the query gives a range; it must give a vector"),
        ),
        ("odd-type", unusable("it has no known result type")),
        ("no-data", unusable("it has no known result type")),
        ("odd-status", unusable("its status is neither success nor error")),
        ("unreadable", unusable("a sample is not a plain number")),
        ("number", unusable("a sample is not a plain number")),
        (
            "histogram",
            unusable(
                "a sample is a native histogram, not a plain number: a query of latency.histogram can give it",
            ),
        ),
        ("no-time", unusable("a sample's time is not a time")),
        (
            "duplicate",
            unusable("two series carry the same labels; let the query match one metric only"),
        ),
        ("partial", unusable("the server warns that it may be incomplete")),
        ("half", unusable("the server warns that it may be incomplete")),
        ("html", unusable("it is not an answer of the Prometheus API")),
        ("nothing", unusable("it is not an answer of the Prometheus API")),
        ("deep", unusable("it is not an answer of the Prometheus API")),
        ("cut", unusable("it is not an answer of the Prometheus API")),
        ("huge", unusable("it is larger than 4 MiB; narrow the query")),
        ("bad-query", refused("HTTP 400: bad_data")),
        ("bad-page", refused("HTTP 400: no reason")),
        ("too-costly", refused("HTTP 422: execution")),
        ("401", SourceError::Denied(401)),
        ("403", SourceError::Denied(403)),
        ("404", SourceError::Status(404)),
        ("429", SourceError::Status(429)),
        ("500", SourceError::Status(500)),
        ("503", SourceError::Status(503)),
        ("204", SourceError::Status(204)),
        ("302", SourceError::Status(302)),
        ("307", SourceError::Status(307)),
        ("308", SourceError::Status(308)),
    ];
    for (case, expected) in cases {
        let before = server.asked.lock().expect("unpoisoned").len();
        let error = server.ask(case).await.expect_err(case);
        assert!(!error.to_string().contains(SECRET), "{case}: {error}");
        assert_eq!(error, expected, "{case}");
        let after = server.asked.lock().expect("unpoisoned").len();
        assert_eq!(after - before, 1, "{case}: neither retried nor redirected");
    }
}

#[tokio::test]
async fn a_native_histogram_is_asked_for_as_any_sample() {
    let server = Server::start().await;
    let at = Timestamp::from_millisecond(1_000_500).expect("in range");
    let ask = async |case: &str| {
        let client = Prometheus::connect(&server.settings(case)).expect("good settings");
        client.histograms(QUERY, at).await
    };
    let read = ask("histogram").await.expect("histograms");
    assert_eq!((read.len(), read[0].count, read[0].at), (1, 1.0, at));
    let (_, form) = server.asked.lock().expect("unpoisoned")[0].clone();
    assert!(form.ends_with("&time=1000.500&timeout=5000ms"), "{form}");
    assert_eq!(ask("empty").await, Ok(vec![]));
    for case in [
        "good",
        "unreadable",
        "html",
        "huge",
        "partial",
        "bad-query",
        "500",
    ] {
        let error = ask(case).await.expect_err(case);
        assert!(!error.to_string().contains(SECRET), "{case}: {error}");
    }
}

#[tokio::test]
async fn silence_is_late_and_refusal_is_not_listening() {
    let server = Server::start().await;
    let mut hanging = server.settings("hang");
    hanging.timeout = Duration::from_millis(50);
    assert_eq!(ask(&hanging).await, Err(SourceError::Late));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let nobody = Settings::of(address.parse().expect("an address"));
    assert_eq!(ask(&nobody).await, Err(SourceError::NotListening));
    // A server that speaks no TLS, asked over TLS.
    let tls = Settings::of(
        format!("https://127.0.0.1:{}", server.port)
            .parse()
            .expect("an address"),
    );
    if let Ok(client) = Prometheus::connect(&tls) {
        let answer = client.instant("up", Timestamp::UNIX_EPOCH).await;
        assert_eq!(answer, Err(SourceError::Unreachable));
    }
}

#[tokio::test]
async fn headers_are_sent_and_a_token_is_read_anew() {
    let server = Server::start().await;
    let folder = std::env::temp_dir().join(format!("serin-token-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("token");
    let mut settings = server.settings("good");
    settings.headers = vec![("X-Scope-OrgID".into(), "shop".into())];
    settings.bearer_token_file = Some(path.clone());
    let client = Prometheus::connect(&settings).expect("good settings");
    let mut outcomes = Vec::new();
    for content in [
        Some("first\n"),
        Some("second"),
        Some(" \n"),
        Some("two\nlines"),
        None,
    ] {
        match content {
            Some(text) => std::fs::File::create(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .expect("written"),
            None => std::fs::remove_file(&path).expect("removed"),
        }
        outcomes.push(
            client
                .instant("up", Timestamp::UNIX_EPOCH)
                .await
                .map(|samples| samples.len()),
        );
    }
    std::fs::remove_dir_all(&folder).expect("removed");
    let wrong = |why: &str| Err(SourceError::Credentials(format!("{} {why}", path.display())));
    let expected = [
        Ok(1),
        Ok(1),
        wrong("is empty"),
        wrong("holds more than one line"),
        wrong("cannot be opened (entity not found)"),
    ];
    assert_eq!(outcomes, expected);
    let asked = server.asked.lock().expect("unpoisoned");
    let sent = |name: &str| -> Vec<&str> {
        asked
            .iter()
            .map(|(headers, _)| headers[name].to_str().expect("text"))
            .collect()
    };
    assert_eq!(sent("authorization"), ["Bearer first", "Bearer second"]);
    assert_eq!(sent("x-scope-orgid"), ["shop", "shop"]);
}

#[test]
fn settings_that_cannot_be_used_are_refused_by_name() {
    let good = || Settings::of("http://127.0.0.1:9".parse().expect("an address"));
    let refusal = |settings: &Settings| Prometheus::connect(settings).err().expect("refused");
    let mut settings = good();
    settings.headers = vec![("X-Good".into(), "bad\nvalue".into())];
    assert_eq!(refusal(&settings), SettingsError::Header("X-Good".into()));
    let mut settings = good();
    settings.ca_file = Some("/nonexistent/ca.pem".into());
    let error = refusal(&settings).to_string();
    assert!(
        error.contains("/nonexistent/ca.pem") && error.contains("not found"),
        "{error}"
    );
    let mut settings = good();
    settings.ca_file = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into());
    assert!(refusal(&settings).to_string().contains("Cargo.toml"));
}
