//! Vectors computed with 40 digits elsewhere (mpmath, scipy): `tests/data/golden.json`.

use serde_json::Value;
use serin::stats::evalue::{fail_log_e, pass_log_e};
use serin::stats::forecast::{divergence, provable_rate};
use serin::stats::interval::RatioLikelihood;
use serin::stats::process::Process;
use serin::stats::special::{beta_quantile, beta_regularized, ln_gamma, share_interval};
use serin::stats::traffic_share::log_e_of_shares;
use serin::stats::{Counts, Margin, Tick};
use serin::trials::kayenta::{Class, classify};
use serin::trials::rank::u_statistic;

use super::reference::digamma::digamma;
use super::reference::exact;
use super::reference::rank::{exact_p_value, p_value};

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
    let mut largest = 0.0_f64;
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
        largest = largest.max(process.observe(&prior, &log_e, 15.0));
        near(process.evidence(), number(&want[0]), 1e-12, row);
        near(process.evidence() - largest, number(&want[1]), 1e-12, row);
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
        let got = number(&row["nats"]) / divergence(number(&row["rate"]), number(&row["bound"]));
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

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[test]
fn special_functions() {
    type Call = fn(&[f64]) -> f64;
    let cases: [(&str, f64, Call); 4] = [
        ("ln_gamma", 1e-12, |v| ln_gamma(v[0])),
        ("digamma", 1e-12, |v| digamma(v[0])),
        ("beta_regularized", 1e-11, |v| beta_regularized(v[0], v[1], v[2])),
        ("beta_quantile", 1e-11, |v| beta_quantile(v[0], v[1], v[2])),
    ];
    for (key, relative, call) in cases {
        for row in rows(key) {
            let row_numbers = numbers(&row);
            let (want, arguments) = row_numbers.split_last().unwrap();
            near(call(arguments), *want, relative, &row);
        }
    }
}

#[test]
fn exact_tests() {
    for row in rows("fisher_two_sided") {
        let v = numbers(&row);
        near(
            exact::fisher_two_sided([v[0], v[1], v[2], v[3]].map(|c| c as u64)),
            v[4],
            1e-12,
            &row,
        );
    }
    for row in rows("binomial_at_least") {
        let v = numbers(&row);
        near(
            exact::binomial_at_least(v[0] as u64, v[1] as u64, v[2]),
            v[3],
            1e-12,
            &row,
        );
    }
    for row in rows("poisson_above") {
        let v = numbers(&row);
        near(exact::poisson_above(v[0] as u64, v[1]), v[2], 1e-12, &row);
    }
    for row in rows("poisson_quantile_999") {
        let v = numbers(&row);
        assert_eq!(exact::poisson_quantile(0.999, v[0]), v[1] as u64, "{row}");
    }
    for row in rows("clopper_pearson") {
        let (bad, n) = (row["bad"].as_u64().unwrap(), row["requests"].as_u64().unwrap());
        let (low, high) = share_interval(bad, n, number(&row["confidence"]));
        near(low, number(&row["low"]), 1e-10, &row);
        near(high, number(&row["high"]), 1e-10, &row);
    }
}

#[test]
fn shares_of_traffic() {
    for row in rows("dirichlet_multinomial") {
        let counts: Vec<u64> = numbers(&row["counts"]).iter().map(|c| *c as u64).collect();
        let got = log_e_of_shares(&numbers(&row["shares"]), number(&row["concentration"]), &counts);
        near(got, number(&row["log_e"]), 1e-11, &row);
    }
}

#[test]
fn rank_tests() {
    for row in rows("mann_whitney") {
        let (x, y) = (numbers(&row["x"]), numbers(&row["y"]));
        near(u_statistic(&x, &y), number(&row["u"]), 1e-12, &row);
        let greater = row["alternative"] == "greater";
        let got = if row["exact"] == true {
            // Either tail may be the shorter one.
            let swapped = exact_p_value(&y, &x, false);
            near(swapped, exact_p_value(&x, &y, false), 1e-12, &row);
            exact_p_value(&x, &y, greater)
        } else {
            p_value(&x, &y, greater, row["continuity"] == true)
        };
        near(got, number(&row["p"]), 1e-11, &row);
    }
}

#[test]
fn kayenta_as_its_own_tests_have_it() {
    for row in rows("kayenta_rule") {
        let (x, y) = (numbers(&row["experiment"]), numbers(&row["control"]));
        let (low, high, estimate, class) = classify(&x, &y, number(&row["confidence"]), 0.25);
        for (got, key) in [(low, "low"), (high, "high"), (estimate, "estimate")] {
            let want = number(&row[key]);
            near(got, want, 1e-11, &row);
        }
        assert_eq!(format!("{class:?}"), row["verdict"].as_str().unwrap(), "{row}");
    }
    assert_eq!(classify(&[], &[1.0], 0.98, 0.25).3, Class::NoData);
}
