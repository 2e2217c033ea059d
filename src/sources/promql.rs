//! Query templates: `{{placeholder}}` to the values of an arm, quoted by one function.
//!
//! A value can never end the string that it stands in. Nothing else of PromQL is understood here.

use std::fmt::Write as _;

/// One side of a comparison, as queries name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Namespace of the Service and its pods.
    pub namespace: String,
    /// The Service that bears the arm's traffic.
    pub service: String,
    /// Its ports that a managed route names.
    pub ports: Vec<u16>,
    /// A regular expression (RE2, anchored by PromQL) that matches the names of the arm's pods and no others; see
    /// [`pods_of_replica_set`] and [`pods_of_deployment`].
    pub pods: String,
    /// Edges of the histogram buckets that are read, in the histogram's own unit; none: every bucket.
    pub edges: Vec<f64>,
}

impl Arm {
    /// This arm, with its histograms read at these edges only.
    #[must_use]
    pub fn at(&self, edges: Vec<f64>) -> Self {
        Self {
            edges,
            ..self.clone()
        }
    }
}

/// Why a template cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error("unknown placeholder `{{{{{0}}}}}` in a query: use namespace, service, ports, pods or le")]
    Unknown(String),
    /// `{{` without `}}`.
    #[error("a placeholder in a query is not closed: `{{{{` needs `}}}}`")]
    Open,
    /// The arm has no value for the placeholder.
    #[error("the query needs `{{{{{0}}}}}`, which this workload does not have")]
    Empty(String),
    /// The value could end the string that it stands in.
    #[error("the value of `{{{{{0}}}}}` holds a quote or a control character")]
    Unsafe(String),
}

/// `template` with the values of `arm`.
///
/// # Errors
/// The first placeholder that is unknown, open, or has no usable value.
pub fn render(template: &str, arm: &Arm) -> Result<String, TemplateError> {
    let mut query = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or(TemplateError::Open)?;
        query.push_str(before);
        query.push_str(&value(name.trim(), arm)?);
        rest = after;
    }
    query.push_str(rest);
    Ok(query)
}

fn value(name: &str, arm: &Arm) -> Result<String, TemplateError> {
    let plain = match name {
        "namespace" => arm.namespace.clone(),
        "service" => arm.service.clone(),
        "pods" => arm.pods.clone(),
        "ports" => alternatives(arm.ports.iter().map(u16::to_string)),
        "le" if arm.edges.is_empty() => ".+".into(),
        "le" => alternatives(
            arm.edges
                .iter()
                .flat_map(|edge| spellings(*edge))
                .chain([r"[+]Inf".into()]),
        ),
        _ => return Err(TemplateError::Unknown(name.into())),
    };
    if plain.is_empty() {
        return Err(TemplateError::Empty(name.into()));
    }
    quoted(&plain).ok_or_else(|| TemplateError::Unsafe(name.into()))
}

/// A regular expression that matches any of these.
fn alternatives(all: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for one in all {
        let bar = if text.is_empty() { "" } else { "|" };
        let _ = write!(text, "{bar}{one}");
    }
    text
}

/// How clients write a bucket's edge: `1`, `1.0`, and small ones with an exponent of two digits.
fn spellings(edge: f64) -> Vec<String> {
    let plain = format!("{edge}");
    let mut all = vec![plain.replace('.', "[.]")];
    if edge.fract() == 0.0 {
        all.push(format!("{plain}[.]0"));
    }
    if edge < 1e-4 {
        let scientific = format!("{edge:e}");
        if let Some((digits, exponent)) = scientific.split_once("e-") {
            all.push(format!("{}e-{exponent:0>2}", digits.replace('.', "[.]")));
        }
    }
    all
}

/// `value` as it stands within the quotes of a PromQL string; `None` where no kind of quotes could hold it.
fn quoted(value: &str) -> Option<String> {
    let unsafe_in_some_string = |c: char| c.is_control() || matches!(c, '"' | '\'' | '`');
    (!value.contains(unsafe_in_some_string)).then(|| value.replace('\\', r"\\"))
}

/// What matches the names of the pods of one ReplicaSet.
pub fn pods_of_replica_set(name: &str) -> String {
    // A generated name keeps the first 58 characters of its prefix.
    let prefix: String = format!("{name}-").chars().take(58).collect();
    format!("{}[a-z0-9]{{5}}", literal(&prefix))
}

/// What matches the names of the pods of every ReplicaSet of one Deployment, but not those of a Deployment whose name
/// is longer by a part.
pub fn pods_of_deployment(name: &str) -> String {
    let prefix: String = format!("{name}-").chars().take(58).collect();
    if prefix.len() + 11 > 58 {
        // The hash of the pod template may be cut.
        return format!("{}[a-z0-9]{{0,10}}-?[a-z0-9]{{5}}", literal(&prefix));
    }
    format!("{}[a-z0-9]{{1,10}}-[a-z0-9]{{5}}", literal(&prefix))
}

/// A Kubernetes name as a regular expression that matches just it.
fn literal(name: &str) -> String {
    name.replace('.', "[.]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm() -> Arm {
        Arm {
            namespace: "shop".into(),
            service: "checkout".into(),
            ports: vec![80, 8443],
            pods: r"checkout-\w+".into(),
            edges: Vec::new(),
        }
    }

    #[test]
    fn placeholders_become_quoted_values() {
        let template = r#"x{ns="{{namespace}}",svc="{{ service }}",pod=~"{{pods}}",p=~"{{ports}}"} * 1"#;
        let query = render(template, &arm());
        let expected = r#"x{ns="shop",svc="checkout",pod=~"checkout-\\w+",p=~"80|8443"} * 1"#;
        assert_eq!(query.as_deref(), Ok(expected));
        assert_eq!(render("plain", &arm()).as_deref(), Ok("plain"));
    }

    #[test]
    fn a_bad_placeholder_is_named() {
        let error = |template: &str| render(template, &arm()).unwrap_err();
        assert_eq!(error("x{{nope}}"), TemplateError::Unknown("nope".into()));
        assert!(error("x{{nope}}").to_string().contains("`{{nope}}`"));
        assert_eq!(error("x{{pods"), TemplateError::Open);
        let bare = Arm {
            ports: vec![],
            ..arm()
        };
        assert_eq!(
            render("{{ports}}", &bare),
            Err(TemplateError::Empty("ports".into()))
        );
    }

    #[test]
    fn edges_match_however_a_client_writes_them() {
        let read = |edges: &[f64]| render("{{le}}", &arm().at(edges.to_vec())).unwrap();
        assert_eq!(read(&[]), ".+");
        for (edge, written) in [
            (0.25, "0.25"),
            (1.0, "1"),
            (1.0, "1.0"),
            (50.0, "50"),
            (0.000_05, "5e-05"),
            (0.000_05, "0.00005"),
            (2.5, "+Inf"),
        ] {
            let pattern = regex::Regex::new(&format!("^(?:{})$", read(&[0.1, edge]))).unwrap();
            assert!(pattern.is_match(written), "{written} in {pattern}");
            assert!(!pattern.is_match("10"), "{pattern}");
        }
    }

    #[test]
    fn no_value_can_end_its_string() {
        for service in ["a\"b", "a'b", "a`b", "a\nb", "\"} or up{x=\""] {
            let evil = Arm {
                service: service.into(),
                ..arm()
            };
            let query = render(r#"x{s="{{service}}"}"#, &evil);
            assert_eq!(query, Err(TemplateError::Unsafe("service".into())), "{service:?}");
        }
    }

    #[test]
    fn pod_names_of_one_deployment_are_not_those_of_another() {
        let matches = |pattern: &str, pod: &str| {
            regex::Regex::new(&format!("^(?:{pattern})$"))
                .expect("valid")
                .is_match(pod)
        };
        let stable = pods_of_deployment("checkout");
        assert!(matches(&stable, "checkout-7d4656d645-x2b9z"));
        assert!(!matches(&stable, "checkout-canary-5f6c-7d4656d645-x2b9z"));
        assert!(!matches(&stable, "checkout-api-7d4656d645-x2b9z"));
        assert!(!matches(&pods_of_deployment("a.b"), "a-b-7d4656d645-x2b9z"));
        let set = pods_of_replica_set("checkout-7d4656d645");
        assert!(matches(&set, "checkout-7d4656d645-x2b9z"));
        assert!(!matches(&set, "checkout-5d4656d645-x2b9z"));
        for length in [40, 46, 47, 48, 50, 56, 57, 58, 60, 63] {
            let name = "a".repeat(length);
            let set = format!("{name}-7d4656d645");
            let pod: String = format!("{set}-")
                .chars()
                .take(58)
                .chain("x2b9z".chars())
                .collect();
            assert!(matches(&pods_of_deployment(&name), &pod), "{length}");
            assert!(matches(&pods_of_replica_set(&set), &pod), "{length}");
        }
    }
}
