//! Waiting for a fact, with a limit and a name, so that a test that waits in vain says what for.

use crate::Outcome;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Often enough for what lasts a second; ten scenarios that ask more often keep the server busy with nothing else.
pub(crate) const EVERY: Duration = Duration::from_millis(250);

/// Calls `attempt` until it gives a value. An error or `None` means not yet; the last error is part of the message.
pub(crate) async fn until<T, F, R>(what: &str, limit: Duration, mut attempt: F) -> Outcome<T>
where
    F: FnMut() -> R,
    R: Future<Output = Outcome<Option<T>>>,
{
    let start = Instant::now();
    loop {
        let last = match attempt().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => String::new(),
            Err(error) => format!(": {}", error.message().unwrap_or("failed")),
        };
        if start.elapsed() > limit {
            return Err(format!("waited {limit:?} in vain for {what}{last}").into());
        }
        sleep(EVERY).await;
    }
}

/// Waits until an address accepts connections.
pub(crate) async fn connectable(what: &str, address: &str, limit: Duration) -> Outcome {
    until(what, limit, || async {
        tokio::net::TcpStream::connect(address).await?;
        Ok(Some(()))
    })
    .await
}

/// Waits until a GET answers with a success.
pub(crate) async fn answers(what: &str, url: &str, limit: Duration) -> Outcome {
    until(what, limit, || async {
        reqwest::get(url).await?.error_for_status()?;
        Ok(Some(()))
    })
    .await
}
