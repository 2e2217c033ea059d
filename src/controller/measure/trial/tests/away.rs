//! A server that cannot be asked.

use super::*;

/// A server that cannot be asked about one time, or about any.
struct Away {
    behind: Server,
    at: Option<i64>,
}

impl MetricSource for Away {
    fn instant<'a>(&'a self, query: &'a str, at: Moment) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        let away = self.at.is_none_or(|away| away == at.as_second());
        Box::pin(async move {
            if away {
                return Err(SourceError::Unreachable);
            }
            Ok(self.behind.answer(query, at.as_second()))
        })
    }
}

fn away(at: Option<i64>) -> Away {
    let behind = Server {
        since: 0,
        gone: i64::MAX,
    };
    Away { behind, at }
}

/// What it reads first lies before its time: nothing is judged there, and yet it must be told that nothing can be read.
#[tokio::test]
async fn a_new_leader_hears_the_silence_of_a_provider_that_is_down() {
    let plan = plan();
    let mut whole = begin(&plan);
    let kept = live(&plan, &mut whole, ENTERED[0], END).await;
    let mut other = resume(&plan, &kept[&ENTERED[2]]);
    other.enter(&plan, place(2));
    for now in [400, 430, 460] {
        other.read(&plan, Ok(&away(None)), second(now)).await;
        let (since, why) = other.judge.evidence().silent.expect("silent");
        assert_eq!(since, second(400));
        assert!(why.contains("cannot be reached"), "{why}");
    }
    // It is back, and nothing is lost.
    live(&plan, &mut other, 461, END).await;
    assert_eq!(other.judge.save(&plan), whole.judge.save(&plan));
}

#[tokio::test]
async fn history_that_cannot_be_asked_for_is_not_lost() {
    let plan = plan();
    let mut whole = begin(&plan);
    let kept = live(&plan, &mut whole, ENTERED[0], END).await;
    let mut other = resume(&plan, &kept[&ENTERED[2]]);
    other.enter(&plan, place(2));
    let last = other.lines[0].lead.expect("read before").as_second();
    other.read(&plan, Ok(&away(Some(last))), second(400)).await;
    let evidence = other.judge.evidence();
    assert!(
        evidence.silent.is_some() && !evidence.summary.contains("restarted"),
        "{evidence:?}"
    );
    live(&plan, &mut other, 401, END).await;
    assert_eq!(other.judge.save(&plan), whole.judge.save(&plan));
}

/// What cannot have been read before is not missing before.
#[tokio::test]
async fn silence_begins_when_a_reading_was_due() {
    let plan = plan();
    let mut trial = begin(&plan);
    let due = ENTERED[0] + LAG;
    trial.read(&plan, Ok(&away(None)), second(due)).await;
    assert_eq!(trial.judge.evidence().silent.map(|it| it.0), Some(second(due)));
}
