//! Ranges from servers that keep to the times that were asked for, and from those that do not.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use serin::ports::{MetricSource, Samples, SourceError, Span};
use serin::sources::{Prometheus, Settings};

use super::script::second;

/// A counter that has counted a request a second, as a range from `start` to `end`.
fn matrix(start: i64, end: i64, step: i64) -> String {
    let point = |at: i64| format!(r#"[{at},"{at}"]"#);
    let step = usize::try_from(step).expect("a positive step");
    let points: Vec<String> = (start..=end).step_by(step).map(point).collect();
    let series = format!(r#"{{"metric":{{"pod":"a"}},"values":[{}]}}"#, points.join(","));
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#)
}

/// How a server treats the times that it is asked for.
#[derive(Clone, Copy)]
enum Manner {
    Exact,
    /// It moves the times of long ranges to multiples of the step, as VictoriaMetrics does by default.
    Rounds,
    /// It moves all.
    RoundsAll,
}

async fn range(manner: Manner, span: Span) -> Result<Samples, SourceError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answer = async move |body: Bytes| {
        let text = String::from_utf8(body.to_vec()).expect("a form");
        let fields = text.split('&').filter_map(|field| field.split_once('='));
        let form: BTreeMap<&str, &str> = fields.collect();
        let number = |name: &str| form[name].parse::<f64>().expect("a number") as i64;
        let (start, end, step) = (number("start"), number("end"), number("step"));
        let rounds = match manner {
            Manner::Exact => false,
            Manner::Rounds => (end - start) / step >= 48,
            Manner::RoundsAll => true,
        };
        let down = |at: i64| if rounds { at - at % step } else { at };
        matrix(down(start), down(end), step)
    };
    let router = Router::new().fallback(answer);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let address = format!("http://127.0.0.1:{port}").parse().expect("an address");
    let client = Prometheus::connect(&Settings::of(address)).expect("good settings");
    let answer = client.range("x", span).await;
    server.abort();
    answer
}

#[tokio::test]
async fn a_server_that_rounds_long_ranges_gives_the_times_that_were_asked_for() {
    let span = Span {
        start: second(1_003),
        end: second(2_003),
        step: Duration::from_secs(5),
    };
    for manner in [Manner::Exact, Manner::Rounds] {
        let all = range(manner, span).await.expect("samples");
        let times: Vec<_> = span.times().collect();
        assert_eq!(times.len(), 201);
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), times);
        for (at, samples) in &all {
            assert_eq!(samples[0].value, at.as_second() as f64);
        }
    }
    let moved = range(Manner::RoundsAll, span).await;
    assert_eq!(
        moved,
        Err(SourceError::Unusable("its times are not those asked for".into()))
    );
}
