//! The verdict on one object.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use serde_json::Value;

use super::defaults::complete;
use super::finding::{Finding, quoted};
use super::metadata;
use super::rules::Rules;
use super::schema;
use crate::api::{self, crd};

/// What there is to say about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not an object of ours.
    Foreign,
    /// One of ours, with the reasons to refuse it, if any.
    Ours(Vec<Finding>),
}

/// The definitions and the language of their rules.
pub struct Checker {
    definitions: Vec<CustomResourceDefinition>,
    rules: Rules,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// A checker by the definitions that `serin crds` prints.
    pub fn new() -> Self {
        Self {
            definitions: crd::all(),
            rules: Rules::new(),
        }
    }

    /// What the API server would say when `object` is created.
    pub fn check(&self, object: &Value) -> Verdict {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let kind = text("kind").unwrap_or_default();
        let Some(written) = text("apiVersion") else {
            return match self.schema(kind) {
                Some(_) => Verdict::Ours(vec![Finding::new("apiVersion", "it is missing", write_version())]),
                None => Verdict::Foreign,
            };
        };
        let (group, version) = written.split_once('/').unwrap_or(("", written));
        if group == api::GROUP {
            return Verdict::Ours(self.ours(object, version, kind));
        }
        if self.schema(kind).is_none() || theirs(group) {
            return Verdict::Foreign;
        }
        let problem = format!(
            "{} is a kind of {}, not of {}",
            quoted(kind),
            api::GROUP,
            quoted(group)
        );
        Verdict::Ours(vec![Finding::new("apiVersion", problem, write_version())])
    }

    /// `object` with the defaults that the API server fills in.
    pub fn completed(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        let spec = self
            .schema(kind)
            .and_then(|root| root.properties.as_ref()?.get("spec"));
        if let (Some(schema), Some(spec)) = (spec, object.get_mut("spec")) {
            complete(schema, spec);
        }
        object
    }

    fn ours(&self, object: &Value, version: &str, kind: &str) -> Vec<Finding> {
        if version != api::VERSION {
            let problem = format!("version {} is not known", quoted(version));
            return vec![Finding::new("apiVersion", problem, write_version())];
        }
        let Some(root) = self.schema(kind) else {
            let known: Vec<_> = self
                .definitions
                .iter()
                .map(|crd| crd.spec.names.kind.as_str())
                .collect();
            let problem = format!("{} is not a kind of {}", quoted(kind), api::GROUP);
            return vec![Finding::new(
                "kind",
                problem,
                format!("write one of {}", known.join(", ")),
            )];
        };
        let mut findings = metadata::check(object.get("metadata").unwrap_or(&Value::Null));
        self.fields(root, object, &mut findings);
        findings
    }

    fn fields(&self, root: &JSONSchemaProps, object: &Value, findings: &mut Vec<Finding>) {
        let known = ["apiVersion", "kind", "metadata", "spec", "status"];
        for name in object.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if !known.contains(&name.as_str()) {
                findings.push(schema::unknown(name, name, known.into_iter()));
            }
        }
        let Some(spec) = root.properties.as_ref().and_then(|fields| fields.get("spec")) else {
            return;
        };
        let mut value = object.get("spec").cloned().unwrap_or_default();
        if value.is_null() {
            findings.push(Finding::new("spec", "it is missing", "add spec"));
            return;
        }
        complete(spec, &mut value);
        schema::walk(spec, &value, "spec", findings);
        self.rules.run(spec, &value, "spec", findings);
    }

    fn schema(&self, kind: &str) -> Option<&JSONSchemaProps> {
        let crd = self.definitions.iter().find(|crd| crd.spec.names.kind == kind)?;
        let version = crd
            .spec
            .versions
            .iter()
            .find(|version| version.name == api::VERSION)?;
        version.schema.as_ref()?.open_api_v3_schema.as_ref()
    }
}

fn write_version() -> String {
    format!("write {}/{}", api::GROUP, api::VERSION)
}

/// Whether a group is known to have kinds of these names of its own: those of Argo Rollouts and OpenKruise.
fn theirs(group: &str) -> bool {
    ["argoproj.io", "kruise.io"]
        .iter()
        .any(|known| group.ends_with(known))
}
