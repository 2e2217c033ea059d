//! A provider that was killed and started again: for a while it answers with what it had before.

use std::sync::Mutex;

use jiff::Timestamp;
use serin::ports::{Clock, Samples, Span};

use super::*;

/// When it was killed, and for how long it does not answer, and has not scraped anew.
#[derive(Clone, Copy)]
struct Outage {
    killed: Timestamp,
    away: Duration,
    stale: Duration,
}

struct Restarted {
    inner: Arc<dyn MetricSource>,
    world: World,
    outage: Mutex<Option<Outage>>,
}

impl MetricSource for Restarted {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        let outage = *self.outage.lock().unwrap();
        let Some(Outage { killed, away, stale }) = outage else {
            return self.inner.instant(query, at);
        };
        let now = self.world.clock().now();
        if now < killed + away {
            return Box::pin(async { Err(SourceError::Unreachable) });
        }
        if at <= killed || at >= killed + stale {
            return self.inner.instant(query, at);
        }
        Box::pin(async move {
            let mut old = self.inner.instant(query, killed).await?;
            for sample in &mut old {
                sample.at = at;
            }
            Ok(old)
        })
    }

    fn range<'a>(&'a self, query: &'a str, span: Span) -> BoxFuture<'a, Result<Samples, SourceError>> {
        Box::pin(async move {
            let (mut answers, mut at) = (Samples::new(), span.start);
            while at <= span.end {
                answers.insert(at, self.instant(query, at).await?);
                at += span.step;
            }
            Ok(answers)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn no_bake_ends_on_what_was_scraped_before_the_provider_was_killed() {
    let world = shop();
    let source = Arc::new(Restarted {
        inner: Arc::new(world.metrics()),
        world: world.clone(),
        outage: Mutex::default(),
    });
    let _tasks = operate_with(&world, source.clone());
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Baking").await;
    tokio::time::sleep(Duration::from_mins(7)).await;
    *source.outage.lock().unwrap() = Some(Outage {
        killed: world.clock().now(),
        away: Duration::from_mins(4),
        stale: Duration::from_secs(270),
    });
    tokio::time::sleep(Duration::from_mins(1)).await;
    world.define_image("checkout:v2", Image::failing(0.3));
    tokio::time::sleep(Duration::from_mins(2)).await;
    let held = status(&world);
    assert_eq!(
        (&held["phase"], in_force(&world)),
        (&"Holding".into(), 95),
        "{held}"
    );
    comes_to(&world, "RolledBack").await;
    assert_eq!(in_force(&world), 0);
}
