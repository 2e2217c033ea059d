use super::*;

fn level(mean: f64, pods: u32) -> Level {
    Level {
        pods,
        mean,
        least: mean,
        most: mean,
    }
}

/// One candidate pod that uses `idle + slope × requests a second`, three pods beside it at a tenth of the slope.
fn fed(gauge: &mut Gauge, readings: u32, slope: f64) {
    for turn in 0..readings {
        let pace = 5.0 + f64::from(turn % 3);
        gauge.read(&Reading {
            candidate: level(0.05 + slope * pace, 1),
            baseline: Some(level(0.05 + slope / 10.0 * pace, 3)),
            set: 1,
            requests: Some([(pace * 15.0) as u64, (pace * 45.0) as u64]),
            seconds: 15.0,
        });
    }
}

const PLACE: Place = Place {
    weights: [10.0, 25.0],
    pods: [1, 4],
    waited: Duration::from_mins(5),
    patience: Duration::from_mins(2),
};

#[test]
fn what_would_not_fit_is_told_in_one_sentence_that_does_not_waver() {
    let mut gauge = Gauge::new("cpu", Kind::Cpu, true, None);
    fed(&mut gauge, 4, 0.06);
    let Room::TooTight(first) = gauge.view(&PLACE).gauges.room else {
        panic!("it does not fit")
    };
    assert!(first.starts_with("cpu: at 25 % each pod would use 9"), "{first}");
    fed(&mut gauge, 3, 0.0601);
    assert_eq!(gauge.view(&PLACE).gauges.room, Room::TooTight(first));
    let scaled = Place {
        pods: [2, 8],
        ..PLACE
    };
    assert_eq!(gauge.view(&scaled).gauges.room, Room::Enough);
    assert!(gauge.view(&scaled).sentence.contains("a request costs 10×"));
}

#[test]
fn too_few_readings_stop_for_a_while_or_where_they_are_asked_for() {
    let early = Place {
        waited: Duration::from_mins(1),
        ..PLACE
    };
    let mut gauge = Gauge::new("cpu", Kind::Cpu, true, None);
    fed(&mut gauge, 2, 0.01);
    assert_eq!(gauge.view(&early).gauges.room, Room::Reading);
    assert_eq!(gauge.view(&PLACE).gauges.room, Room::Enough);
    let mut gauge = Gauge::new("pool", Kind::Other, false, None);
    assert_eq!(gauge.view(&early).gauges.room, Room::Reading);
    let why = "gauge pool: 0 of the 4 readings that a forecast needs";
    assert_eq!(gauge.view(&PLACE).gauges.room, Room::Unknown(why.to_owned()));
}

#[test]
fn a_forecast_that_a_few_readings_more_make_sure_is_waited_for() {
    // Steady traffic: neither arm shows what a pod uses without requests.
    let mut gauge = Gauge::new("cpu", Kind::Cpu, true, None);
    let mut rooms = Vec::new();
    for _ in 0..20 {
        gauge.read(&Reading {
            candidate: level(0.5, 1),
            baseline: Some(level(0.5, 3)),
            set: 1,
            requests: Some([100, 900]),
            seconds: 15.0,
        });
        rooms.push(gauge.view(&PLACE).gauges.room);
    }
    assert_eq!(rooms[18], Room::Reading, "{}", gauge.view(&PLACE).sentence);
    assert_eq!(rooms[19], Room::Enough);
}

#[test]
fn a_sure_leak_fails_and_other_pods_begin_anew() {
    let mut gauge = Gauge::new("memory", Kind::Memory, true, None);
    let feed = |gauge: &mut Gauge, set: u64| {
        for turn in 0..40 {
            gauge.read(&Reading {
                candidate: level(0.3 + 0.012 * f64::from(turn), 1),
                baseline: Some(level(0.3, 3)),
                set,
                requests: Some([75, 225]),
                seconds: 15.0,
            });
        }
    };
    feed(&mut gauge, 1);
    assert!(matches!(gauge.view(&PLACE).gauges.leak, Leak::Fails(_)));
    gauge.read(&Reading {
        candidate: level(0.3, 1),
        baseline: Some(level(0.3, 3)),
        set: 2,
        requests: Some([75, 225]),
        seconds: 15.0,
    });
    assert_eq!(gauge.view(&PLACE).gauges.leak, Leak::None);
}

#[test]
fn the_worst_gauge_speaks() {
    let fine = Gauges::default();
    let tight = Gauges {
        room: Room::TooTight("cpu".to_owned()),
        leak: Leak::None,
    };
    let leaks = Gauges {
        room: Room::Unknown("pool".to_owned()),
        leak: Leak::Holds("memory".to_owned()),
    };
    let all = fine.and(leaks).and(tight);
    assert_eq!(all.room, Room::TooTight("cpu".to_owned()));
    assert_eq!(all.leak, Leak::Holds("memory".to_owned()));
}

#[test]
fn a_set_of_pods_is_told_by_names_or_else_by_their_number() {
    let set =
        |names: &[&'static str]| set_of(names.iter().map(|name| Some(*name).filter(|it| !it.is_empty())));
    assert_eq!(set(&["a", "b"]), set(&["b", "a"]));
    assert_ne!(set(&["a", "b"]), set(&["a", "c"]));
    assert_ne!(set(&["", ""]), set(&[""]));
}
