//! The CustomResourceDefinitions, generated: the types' schemas, plus the rules of [`super::rules`].
//!
//! Invariants: no field is nullable (absent is the only way to say nothing); descriptions are one paragraph each;
//! every rule of the table finds its place, which a test proves.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};
use kube::CustomResourceExt;

use super::rules::{self, Kind, Rule};
use super::{MetricProvider, Rollout, RolloutAction};

/// The definitions of all three kinds.
pub fn all() -> Vec<CustomResourceDefinition> {
    [Kind::Rollout, Kind::RolloutAction, Kind::MetricProvider]
        .map(of)
        .into()
}

/// The definition of one kind.
pub fn of(kind: Kind) -> CustomResourceDefinition {
    let mut crd = match kind {
        Kind::Rollout => Rollout::crd(),
        Kind::RolloutAction => RolloutAction::crd(),
        Kind::MetricProvider => MetricProvider::crd(),
    };
    for schema in schemas(&mut crd) {
        tidy(schema);
        for rule in rules::all().into_iter().filter(|rule| rule.kind == kind) {
            if let Some(place) = find(schema, rule.path) {
                place
                    .x_kubernetes_validations
                    .get_or_insert_default()
                    .push(validation(rule));
            }
        }
    }
    crd
}

fn schemas(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    crd.spec
        .versions
        .iter_mut()
        .filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut())
}

fn validation(rule: Rule) -> ValidationRule {
    ValidationRule {
        rule: rule.cel,
        message: Some(rule.message),
        ..ValidationRule::default()
    }
}

/// The schema at `path`: `a.b[].c` is field `c` of the items of `b` in `a`; nothing is the object itself.
fn find<'a>(schema: &'a mut JSONSchemaProps, path: &str) -> Option<&'a mut JSONSchemaProps> {
    path.split('.')
        .filter(|part| !part.is_empty())
        .try_fold(schema, |schema, part| {
            let name = part.trim_end_matches("[]");
            let field = schema.properties.as_mut()?.get_mut(name)?;
            if part.ends_with("[]") {
                items(field)
            } else {
                Some(field)
            }
        })
}

fn items(schema: &mut JSONSchemaProps) -> Option<&mut JSONSchemaProps> {
    match schema.items.as_mut()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// Nothing is nullable, and line breaks of the source code do not show in descriptions.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        *description = description.replace('\n', " ");
    }
    schema
        .properties
        .iter_mut()
        .flat_map(|fields| fields.values_mut())
        .for_each(tidy);
    if let Some(items) = items(schema) {
        tidy(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_finds_its_place() {
        for rule in rules::all() {
            let mut crd = of(rule.kind);
            let placed = schemas(&mut crd)
                .filter_map(|schema| find(schema, rule.path))
                .any(|place| {
                    let placed = place.x_kubernetes_validations.as_deref().unwrap_or_default();
                    placed.iter().any(|validation| validation.rule == rule.cel)
                });
            assert!(placed, "{rule:?}");
        }
    }

    #[test]
    fn every_string_and_list_is_bounded() {
        fn walk(schema: &JSONSchemaProps, path: &str, unbounded: &mut Vec<String>) {
            let free = match schema.type_.as_deref() {
                Some("string") => {
                    let dated = schema.format.as_deref() == Some("date-time");
                    schema.max_length.is_none() && schema.enum_.is_none() && !dated
                }
                Some("array") => schema.max_items.is_none(),
                _ => false,
            };
            if free {
                unbounded.push(path.to_owned());
            }
            for (name, field) in schema.properties.iter().flatten() {
                walk(field, &format!("{path}.{name}"), unbounded);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
                walk(items, &format!("{path}[]"), unbounded);
            }
        }
        let mut unbounded = Vec::new();
        for mut crd in all() {
            let kind = crd.spec.names.kind.clone();
            schemas(&mut crd).for_each(|schema| walk(schema, &kind, &mut unbounded));
        }
        // The message of a condition is Kubernetes's own type.
        unbounded.retain(|path| !path.contains(".status.conditions[]"));
        assert_eq!(unbounded, ["Rollout.apiVersion"; 0]);
    }
}
