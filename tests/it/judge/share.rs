//! The candidate's share of the requests: one that is not the weight is doubted.

use std::fmt::Write as _;

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::cli::judge::Judge;

use super::steps::spotless;
use super::{NOW, command, judge};

/// Lines at a weight of 10 whose candidate gets `share` of the requests.
fn shared(share: f64, scrapes: std::ops::RangeInclusive<u32>) -> String {
    let mut input = String::new();
    for t in scrapes {
        let arm = |share: f64| json!({"n": (20_000.0 * share).round(), "x": (20.0 * share).round()});
        let line = json!({"stream": "s", "t": t * 15, "weight": 10, "next": 25,
            "metrics": {"e": {"candidate": arm(share), "baseline": arm(1.0 - share)}}});
        writeln!(input, "{line}").unwrap();
    }
    input
}

#[test]
fn a_share_that_is_not_the_weight_holds_and_is_no_evidence() {
    let input = shared(0.5, 1..=20);
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Undecided);
    assert!(
        answers
            .iter()
            .all(|it| it["advance"] == false && it["verdict"] == "Continue")
    );
    // While the gateway takes the weight over nobody wonders.
    assert!(answers[0].get("share").is_none());
    assert_eq!(answers[1]["share"], json!({"asked": 10.0, "seen": 50.0}));
    let reason = answers[19]["reason"].as_str().unwrap();
    assert!(
        reason.contains("; it gets 50 % of the requests instead of 10 %: nothing advances"),
        "{reason}"
    );
    // Where the counts hold other requests too, that is no finding; the numbers of the evidence are the same either way.
    let mut out = Vec::new();
    let unrouted = Judge {
        unrouted: true,
        ..command(None)
    };
    let exit = unrouted.run(NOW, &mut input.as_bytes(), &mut out).unwrap();
    assert_eq!(exit, Exit::Healthy);
    for (line, answer) in String::from_utf8(out).unwrap().lines().zip(&answers) {
        let other: Value = serde_json::from_str(line).unwrap();
        assert!(other.get("share").is_none());
        assert_eq!(other["metrics"], answer["metrics"]);
    }
    // It goes on when the weight is honoured: what came before does not weigh for ever.
    let mended = format!("{}{}", shared(0.5, 1..=3), shared(0.1, 4..=60));
    let (exit, answers) = judge(&mended, None);
    assert_eq!(
        (exit, &answers[59]["advance"]),
        (Exit::Healthy, &json!(true)),
        "{}",
        answers[59]
    );
    assert!(answers[59].get("share").is_none());
}

#[test]
fn no_share_is_doubted_where_weights_are_honoured() {
    let answers = spotless(
        &[(10.0, 12), (25.0, 12), (80.0, 40), (95.0, 40)],
        |index| index.min(2) as u32,
        80,
    );
    assert!(answers.iter().all(|answer| answer.get("share").is_none()));
}

#[test]
fn a_share_of_nothing_like_all_traffic_is_told_at_100() {
    let mut input = String::new();
    for t in 1..=10_u64 {
        let line = json!({"stream": "s", "t": t * 15, "weight": 100, "metrics": {"e": {
            "candidate": {"n": 100, "x": 0}, "baseline": {"n": 900, "x": 0}}}});
        writeln!(input, "{line}").unwrap();
    }
    let (exit, answers) = judge(&input, None);
    assert_eq!(
        (exit, &answers[9]["share"]),
        (Exit::Undecided, &json!({"asked": 100.0, "seen": 10.0}))
    );
}
