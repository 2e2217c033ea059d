//! Ready-made queries for common sources of request counts.
//!
//! All are plain instant selectors of raw cumulative counters: no `sum`, no `rate`. Total and bad of one preset come
//! from one metric, so that a request cannot show in one and not in the other. The selectors of two arms never overlap.

use super::queries::{Queries, Tally};

/// A named source of request counts. One name can stand for several variants, of which preflight takes the first that
/// has data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// What a Rollout calls it.
    pub name: &'static str,
    /// What sets this variant apart, for messages.
    pub variant: &'static str,
    /// Tried against the real thing, and so a part of the search when no preset is named.
    pub verified: bool,
    metric: &'static str,
    arm: &'static str,
    /// What a series must carry so that bad ones can be told from good ones.
    graded: &'static str,
    bad: &'static str,
    starts: Option<&'static str>,
    /// The histogram of the same requests: its name without `_bucket`, and how many seconds a unit of it is.
    histogram: Option<(&'static str, f64)>,
    routed: bool,
    /// What its gateway's series look like where they cannot be compared.
    pub together: Option<Together>,
}

/// How a gateway counts that does not tell the backends of a rule apart: candidate and stable pods in one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Together {
    /// Finds such series; a template like the others. Nothing is ever judged by them.
    pub query: &'static str,
    /// What it means, and how each Service gets counters of its own.
    pub cure: &'static str,
}

impl Preset {
    /// The variants with this name; none where it is unknown.
    pub fn named(name: &str) -> Vec<&'static Self> {
        PRESETS.iter().filter(|preset| preset.name == name).collect()
    }

    /// What is looked for when a Rollout names no preset, in this order.
    pub fn searched() -> Vec<&'static Self> {
        PRESETS.iter().filter(|preset| preset.verified).collect()
    }

    /// Its query templates for the share of bad requests.
    pub fn queries(&self) -> Queries {
        let select = |more: &str| self.select(self.metric, more);
        self.complete(Tally::Share {
            total: select(self.graded),
            bad: select(self.bad),
        })
    }

    /// Its query template for how long requests take, in classic buckets; `None` where it knows no histogram.
    pub fn latency(&self) -> Option<Queries> {
        let (metric, unit) = self.histogram?;
        Some(self.complete(Tally::Histogram {
            buckets: self.select(&format!("{metric}_bucket"), r#"le=~"{{le}}""#),
            unit,
        }))
    }

    /// Its query template for how long requests take, in native histograms, which have the name without `_bucket`.
    pub fn native(&self) -> Option<Queries> {
        let (metric, unit) = self.histogram?;
        Some(self.complete(Tally::Native {
            histogram: self.select(metric, ""),
            unit,
        }))
    }

    fn select(&self, metric: &str, more: &str) -> String {
        let comma = if more.is_empty() { "" } else { "," };
        format!("{metric}{{{}{comma}{more}}}", self.arm)
    }

    fn complete(&self, tally: Tally) -> Queries {
        Queries {
            tally,
            starts: self.starts.map(str::to_owned),
            routed: self.routed,
        }
    }
}

/// Envoy clusters as Contour names them: one for each port of each Service.
const CONTOUR_ARM: &str = r#"envoy_cluster_name=~"{{namespace}}_{{service}}_({{ports}})""#;
/// Envoy Gateway's clusters without merged backends: one for each rule of a route, or, as soon as one of its backendRefs
/// has a filter, one for each position in the rule. A position does not identify a Service: a change of the backends before
/// it shifts it.
const ENVOY_GATEWAY_RULES: Together = Together {
    query: r#"envoy_cluster_upstream_rq{envoy_cluster_name=~"httproute/{{namespace}}/.+/rule/[0-9]+(/backend/[0-9]+)?"}"#,
    cure: "Envoy Gateway counts by rules of the routes, not by Services; set `mergeBackends: {}` in its EnvoyProxy and \
           leave filters off the backendRefs, or let the pods count their requests",
};
/// Units of `le`, in seconds.
const SECOND: f64 = 1.0;
const MILLISECOND: f64 = 0.001;

const ENVOY_BAD: &str = r#"envoy_response_code=~"5..""#;
const POD_ARM: &str = r#"namespace="{{namespace}}",pod=~"{{pods}}""#;
const POD_STARTS: &str = r#"process_start_time_seconds{namespace="{{namespace}}",pod=~"{{pods}}"}"#;

/// Every preset, in the order of the search.
pub const PRESETS: [Preset; 8] = [
    Preset {
        name: "contour",
        variant: "users' requests",
        verified: true,
        metric: "envoy_cluster_external_upstream_rq",
        arm: CONTOUR_ARM,
        graded: "",
        bad: ENVOY_BAD,
        starts: None,
        histogram: Some(("envoy_cluster_external_upstream_rq_time", MILLISECOND)),
        routed: true,
        together: None,
    },
    Preset {
        name: "contour",
        variant: "all requests",
        verified: true,
        metric: "envoy_cluster_upstream_rq",
        arm: CONTOUR_ARM,
        graded: "",
        bad: ENVOY_BAD,
        starts: None,
        histogram: Some(("envoy_cluster_upstream_rq_time", MILLISECOND)),
        routed: true,
        together: None,
    },
    Preset {
        name: "envoy-gateway",
        variant: "merged backends",
        verified: true,
        metric: "envoy_cluster_upstream_rq",
        arm: r#"envoy_cluster_name=~"service/{{namespace}}/{{service}}/({{ports}})(/.*)?""#,
        graded: "",
        bad: ENVOY_BAD,
        starts: None,
        histogram: Some(("envoy_cluster_upstream_rq_time", MILLISECOND)),
        routed: true,
        together: Some(ENVOY_GATEWAY_RULES),
    },
    Preset {
        name: "traefik",
        variant: "Gateway API",
        verified: true,
        metric: "traefik_service_requests_total",
        // The name ends with the backend's place in the rule, not with its port.
        arm: r#"service=~".+-svc-{{namespace}}-{{service}}-[0-9]+@kubernetesgateway""#,
        graded: "",
        bad: r#"code=~"5..""#,
        starts: None,
        histogram: Some(("traefik_service_request_duration_seconds", SECOND)),
        routed: true,
        together: None,
    },
    Preset {
        name: "http-requests",
        variant: "label code",
        verified: true,
        metric: "http_requests_total",
        arm: POD_ARM,
        graded: r#"code!="""#,
        bad: r#"code=~"5..""#,
        starts: Some(POD_STARTS),
        histogram: Some(("http_request_duration_seconds", SECOND)),
        routed: false,
        together: None,
    },
    Preset {
        name: "http-requests",
        variant: "label status",
        verified: true,
        metric: "http_requests_total",
        arm: POD_ARM,
        graded: r#"status!="""#,
        bad: r#"status=~"5..""#,
        starts: Some(POD_STARTS),
        histogram: Some(("http_request_duration_seconds", SECOND)),
        routed: false,
        together: None,
    },
    Preset {
        name: "istio",
        variant: "sidecars' view of the sender",
        verified: false,
        metric: "istio_requests_total",
        arm: r#"reporter="source",destination_service_namespace="{{namespace}}",destination_service_name="{{service}}""#,
        graded: "",
        bad: r#"response_code=~"5..""#,
        starts: None,
        histogram: Some(("istio_request_duration_milliseconds", MILLISECOND)),
        routed: true,
        together: None,
    },
    Preset {
        name: "linkerd",
        variant: "outbound, by backend",
        verified: false,
        metric: "outbound_http_route_backend_response_statuses_total",
        arm: r#"parent_namespace="{{namespace}}",backend_name="{{service}}""#,
        graded: "",
        bad: r#"http_status=~"5..|""#,
        starts: None,
        histogram: Some(("outbound_http_route_backend_response_duration_seconds", SECOND)),
        routed: true,
        together: None,
    },
];

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::sources::promql::{Arm, pods_of_deployment, pods_of_replica_set, render};

    fn arm(service: &str, pods: String) -> Arm {
        Arm {
            namespace: "shop".into(),
            service: service.into(),
            ports: vec![80, 8080],
            pods,
            edges: Vec::new(),
        }
    }

    fn baseline() -> Arm {
        arm("checkout", pods_of_deployment("checkout"))
    }

    #[test]
    fn every_preset_selects_raw_counters() {
        let mut text = String::new();
        for preset in &PRESETS {
            let queries = preset.queries().render(&baseline()).expect("renders");
            let Preset { name, variant, .. } = preset;
            let bad = queries.bad.expect("a share");
            let _ = writeln!(text, "{name} ({variant})\n  {}\n  {bad}", queries.total);
        }
        let expected = r#"contour (users' requests)
  envoy_cluster_external_upstream_rq{envoy_cluster_name=~"shop_checkout_(80|8080)"}
  envoy_cluster_external_upstream_rq{envoy_cluster_name=~"shop_checkout_(80|8080)",envoy_response_code=~"5.."}
contour (all requests)
  envoy_cluster_upstream_rq{envoy_cluster_name=~"shop_checkout_(80|8080)"}
  envoy_cluster_upstream_rq{envoy_cluster_name=~"shop_checkout_(80|8080)",envoy_response_code=~"5.."}
envoy-gateway (merged backends)
  envoy_cluster_upstream_rq{envoy_cluster_name=~"service/shop/checkout/(80|8080)(/.*)?"}
  envoy_cluster_upstream_rq{envoy_cluster_name=~"service/shop/checkout/(80|8080)(/.*)?",envoy_response_code=~"5.."}
traefik (Gateway API)
  traefik_service_requests_total{service=~".+-svc-shop-checkout-[0-9]+@kubernetesgateway"}
  traefik_service_requests_total{service=~".+-svc-shop-checkout-[0-9]+@kubernetesgateway",code=~"5.."}
http-requests (label code)
  http_requests_total{namespace="shop",pod=~"checkout-[a-z0-9]{1,10}-[a-z0-9]{5}",code!=""}
  http_requests_total{namespace="shop",pod=~"checkout-[a-z0-9]{1,10}-[a-z0-9]{5}",code=~"5.."}
http-requests (label status)
  http_requests_total{namespace="shop",pod=~"checkout-[a-z0-9]{1,10}-[a-z0-9]{5}",status!=""}
  http_requests_total{namespace="shop",pod=~"checkout-[a-z0-9]{1,10}-[a-z0-9]{5}",status=~"5.."}
istio (sidecars' view of the sender)
  istio_requests_total{reporter="source",destination_service_namespace="shop",destination_service_name="checkout"}
  istio_requests_total{reporter="source",destination_service_namespace="shop",destination_service_name="checkout",response_code=~"5.."}
linkerd (outbound, by backend)
  outbound_http_route_backend_response_statuses_total{parent_namespace="shop",backend_name="checkout"}
  outbound_http_route_backend_response_statuses_total{parent_namespace="shop",backend_name="checkout",http_status=~"5..|"}
"#;
        assert_eq!(text, expected);
    }

    /// The value of the matcher that tells the arms apart, as a predicate on label values.
    fn selects(query: &str, value: &str) -> bool {
        let label = [
            "envoy_cluster_name",
            ",pod",
            "destination_service_name=",
            "backend_name",
            "{service",
        ];
        let at = label
            .iter()
            .find_map(|label| query.find(label))
            .expect("an arm label");
        let matcher = &query[at..];
        let open = matcher.find('"').expect("quoted");
        let text = &matcher[open + 1..];
        let text = &text[..text.find('"').expect("closed")];
        if matcher[..open].ends_with("=~") {
            regex::Regex::new(&format!("^(?:{text})$"))
                .expect("valid")
                .is_match(value)
        } else {
            text == value
        }
    }

    #[test]
    fn the_baseline_never_selects_the_candidate() {
        let pods = pods_of_replica_set("checkout-canary-5f6c-7d4656d645");
        let candidate = arm("checkout-canary-5f6c", pods);
        let names = |service: &str, pod: &str| {
            [
                format!("shop_{service}_80"),
                format!("service/shop/{service}/80/http"),
                format!(
                    "httproute-shop-checkout-gw-infra-gw-ep-web-0-1f2e3d4c5b6a79881f2e-svc-shop-{service}-0@kubernetesgateway"
                ),
                service.to_owned(),
                pod.to_owned(),
            ]
        };
        let theirs = names("checkout-canary-5f6c", "checkout-canary-5f6c-7d4656d645-x2b9z");
        let ours = names("checkout", "checkout-7d4656d645-x2b9z");
        for preset in &PRESETS {
            let of = |arm: &Arm| preset.queries().render(arm).expect("renders").total;
            let (baseline, candidate) = (of(&baseline()), of(&candidate));
            assert!(ours.iter().any(|name| selects(&baseline, name)), "{baseline}");
            assert!(theirs.iter().any(|name| selects(&candidate, name)), "{candidate}");
            assert!(!theirs.iter().any(|name| selects(&baseline, name)), "{baseline}");
            assert!(!ours.iter().any(|name| selects(&candidate, name)), "{candidate}");
        }
    }

    #[test]
    fn clusters_that_hold_several_services_are_known_and_never_counted() {
        let together = PRESETS.iter().filter_map(|preset| preset.together);
        for Together { query, .. } in together {
            let query = render(query, &baseline()).expect("renders");
            for (cluster, known) in [
                ("httproute/shop/checkout/rule/0", true),
                ("httproute/shop/checkout.v1/rule/12/backend/1", true),
                ("httproute/shops/checkout/rule/0", false),
                ("service/shop/checkout/80/http", false),
                ("shop_checkout_80", false),
            ] {
                assert_eq!(selects(&query, cluster), known, "{cluster} in {query}");
                let counts = |preset: &Preset| {
                    let total = preset.queries().render(&baseline()).expect("renders").total;
                    total.contains("envoy_cluster_name") && selects(&total, cluster)
                };
                assert!(!known || !PRESETS.iter().any(counts), "{cluster}");
            }
        }
    }

    #[test]
    fn only_verified_presets_are_searched() {
        let names: Vec<_> = Preset::searched().iter().map(|preset| preset.name).collect();
        assert_eq!(
            names,
            [
                "contour",
                "contour",
                "envoy-gateway",
                "traefik",
                "http-requests",
                "http-requests"
            ]
        );
        assert_eq!(Preset::named("http-requests").len(), 2);
        assert!(Preset::named("unknown").is_empty());
    }
}
