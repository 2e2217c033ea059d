//! Vectors computed with 40 digits elsewhere (mpmath, scipy): `tests/data/golden.json`.

use serde_json::Value;
use serin::stats::evalue::{fail_log_e, pass_log_e};
use serin::stats::forecast::{provable_rate, requests_to_prove};
use serin::stats::interval::RatioLikelihood;
use serin::stats::process::{Largest, Process};
use serin::stats::{Counts, Margin, Tick};

/// The rows under one key; an absent or empty key would make a test vacuous.
fn rows(key: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../data/golden.json")).unwrap();
    let rows = all[key].as_array().unwrap().clone();
    assert!(!rows.is_empty(), "{key}");
    rows
}

fn object(key: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../data/golden.json")).unwrap();
    all[key].clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Equal up to `relative`, and to the twelfth decimal that the longer vectors are given to.
fn near(got: f64, want: f64, relative: f64, what: &Value) {
    let off = (got - want).abs();
    assert!(
        off <= relative * want.abs() + 6e-13,
        "{what}: got {got:?}, want {want:?}"
    );
}

fn counts(value: &Value) -> Counts {
    Counts::new(value[0].as_u64().unwrap(), value[1].as_u64().unwrap())
}

fn tick(row: &Value) -> Tick {
    Tick::new(counts(&row["candidate"]), counts(&row["baseline"]), 15.0)
}

#[test]
fn one_tick() {
    for (key, f) in [
        ("fail_one_tick", fail_log_e as fn(&Tick, Margin, f64) -> f64),
        ("pass_one_tick", pass_log_e),
    ] {
        for row in rows(key) {
            let margin = Margin::new(number(&row["ratio"]), number(&row["absolute"]));
            near(
                f(&tick(&row), margin, number(&row["bet"])),
                number(&row["log_e"]),
                1e-12,
                &row,
            );
        }
    }
}

#[test]
fn ten_ticks() {
    let golden = object("fail_sequence");
    let margin = Margin::new(number(&golden["ratio"]), number(&golden["absolute"]));
    let bets: Vec<f64> = golden["bets"].as_array().unwrap().iter().map(number).collect();
    let prior: [f64; 5] = golden["prior"]
        .as_array()
        .unwrap()
        .iter()
        .map(number)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let mut process = Process::new(prior);
    let mut largest = Largest::default();
    let mut ratio = RatioLikelihood::default();
    for (row, want) in golden["ticks"]
        .as_array()
        .unwrap()
        .iter()
        .zip(golden["evidence_and_without_largest"].as_array().unwrap())
    {
        let tick = tick(row);
        ratio.observe(&tick);
        // A tick with an empty arm earns nothing, but bets are dealt out anew.
        let mut log_e = [0.0; 5];
        for (e, bet) in log_e[1..].iter_mut().zip(&bets) {
            *e = fail_log_e(&tick, margin, bet * margin.ratio);
        }
        largest.observe(process.observe(&prior, &log_e, 15.0));
        near(process.evidence(), number(&want[0]), 1e-12, row);
        near(process.evidence() - largest.sum(1), number(&want[1]), 1e-12, row);
    }
    let interval = ratio.interval().unwrap();
    near(
        interval.low,
        number(&golden["ratio_interval"][0]),
        1e-7,
        &golden["ratio_interval"],
    );
    near(
        interval.high.unwrap(),
        number(&golden["ratio_interval"][1]),
        1e-7,
        &golden["ratio_interval"],
    );
}

#[test]
fn traffic_needed() {
    for row in rows("requests_to_prove") {
        let got = requests_to_prove(number(&row["rate"]), number(&row["bound"]), number(&row["nats"]));
        near(got, number(&row["requests"]), 1e-12, &row);
    }
    for row in rows("provable_rate") {
        let got = provable_rate(
            number(&row["requests"]),
            number(&row["rate"]),
            number(&row["least"]),
            number(&row["nats"]),
        );
        near(got, number(&row["provable"]), 1e-12, &row);
    }
}
