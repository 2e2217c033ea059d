//! The CRDs' CEL rules, run offline.
//!
//! Invariants: values have the types that their schema gives them, as in the API server (`1` in a field of type
//! number is a double); rules about changes (`oldSelf`) have nothing to say about one object; a rule is not run on a
//! value whose structure is refused, since its answer would say nothing more.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, Env, ExecutionError, Program, Value as Cel, extensions};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, ValidationRule};
use serde_json::Value;

use super::finding::Finding;
use super::schema::items;
use crate::api::{Quantity, duration, rules};

/// The expression language with what the API server adds to it, as far as the rules use it.
pub(super) struct Rules {
    env: Arc<Env>,
    compiled: BTreeMap<String, Result<Program, String>>,
}

impl Rules {
    /// The language of the rules.
    pub(super) fn new() -> Self {
        let mut env = Env::stdlib();
        // Fails only where an overload is declared twice; then the rules that need it would report it.
        let added = env.add_extension(extensions::strings);
        tracing::trace!(added = added.is_ok(), "string functions");
        let compile = |rule: rules::Rule| {
            let program = env.compile(&rule.cel).map_err(|error| error.to_string());
            (rule.cel, program)
        };
        let compiled = rules::all().into_iter().map(compile).collect();
        Self {
            compiled,
            env: Arc::new(env),
        }
    }

    /// Runs every rule in and below `schema` on `value`.
    pub(super) fn run(
        &self,
        schema: &JSONSchemaProps,
        value: &Value,
        path: &str,
        findings: &mut Vec<Finding>,
    ) {
        match value {
            Value::Object(fields) => {
                for (name, schema) in schema.properties.iter().flatten() {
                    if let Some(value) = fields.get(name) {
                        self.run(schema, value, &format!("{path}.{name}"), findings);
                    }
                }
            }
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    if let Some(schema) = items(schema) {
                        self.run(schema, value, &format!("{path}[{index}]"), findings);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        let rules = schema.x_kubernetes_validations.iter().flatten();
        let mut broken = Vec::new();
        for rule in rules.filter(|rule| !rule.rule.contains("oldSelf")) {
            if !findings.iter().any(|finding| finding.within(path)) {
                broken.extend(self.broken(rule, schema, value, path));
            }
        }
        findings.extend(broken);
    }

    fn broken(
        &self,
        rule: &ValidationRule,
        schema: &JSONSchemaProps,
        value: &Value,
        path: &str,
    ) -> Option<Finding> {
        let message = rule.message.as_deref().unwrap_or(&rule.rule);
        match self.evaluate(&rule.rule, typed(schema, value)) {
            Ok(true) => None,
            Ok(false) => {
                let (problem, remedy) = message.split_once(": ").unwrap_or((message, "change it"));
                Some(Finding::new(path, problem, remedy))
            }
            Err(error) => Some(Finding::new(
                path,
                message,
                format!("the rule cannot be evaluated ({error})"),
            )),
        }
    }

    fn evaluate(&self, rule: &str, value: Cel) -> Result<bool, String> {
        let fresh;
        let program = if let Some(compiled) = self.compiled.get(rule) {
            compiled.as_ref().map_err(Clone::clone)?
        } else {
            fresh = self.env.compile(rule).map_err(|error| error.to_string())?;
            &fresh
        };
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.add_variable_from_value("self", value);
        let declared = [
            context.add_function("duration", milliseconds),
            context.add_function("isSorted", is_sorted),
            context.add_function("quantity", quantity),
            context.add_function("isGreaterThan", is_greater_than),
        ];
        if let Some(error) = declared.into_iter().find_map(Result::err) {
            return Err(error.to_string());
        }
        let answer = program.execute(&context).map_err(|error| error.to_string())?;
        if let Cel::Bool(answer) = answer {
            Ok(answer)
        } else {
            Err(format!("it gives {answer:?}"))
        }
    }
}

/// The value in the types of its schema.
fn typed(schema: &JSONSchemaProps, value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match schema.type_.as_deref() {
            Some("integer") => Cel::Int(number.as_i64().unwrap_or_default()),
            _ => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::Array(values) => {
            let schema = items(schema).unwrap_or(schema);
            values
                .iter()
                .map(|value| typed(schema, value))
                .collect::<Vec<_>>()
                .into()
        }
        Value::Object(fields) => {
            let known = schema.properties.as_ref();
            let typed = fields.iter().filter_map(|(name, value)| {
                let schema = known?.get(name)?;
                Some((name.clone(), typed(schema, value)))
            });
            typed.collect::<HashMap<_, _>>().into()
        }
    }
}

/// `duration('90s')`. The rules only compare durations, so a number does.
#[allow(clippy::needless_pass_by_value)] // the form that `add_function` takes
fn milliseconds(text: Arc<String>) -> Result<i64, ExecutionError> {
    let parsed = duration::parse(&text);
    let length = parsed.map_err(|error| ExecutionError::function_error("duration", error.to_string()))?;
    i64::try_from(length.get().as_millis())
        .map_err(|error| ExecutionError::function_error("duration", error.to_string()))
}

/// `quantity('512Mi')`. The rules only compare quantities, so a number does.
#[allow(clippy::needless_pass_by_value)] // the form that `add_function` takes
fn quantity(text: Arc<String>) -> Result<f64, ExecutionError> {
    let parsed: Result<Quantity, _> = text.parse();
    parsed
        .map(|quantity| quantity.value())
        .map_err(|error| ExecutionError::function_error("quantity", error.to_string()))
}

/// `quantity.isGreaterThan(other)`.
fn is_greater_than(This(quantity): This<f64>, other: f64) -> bool {
    quantity > other
}

/// `list.isSorted()`.
fn is_sorted(This(list): This<Arc<Vec<Cel>>>) -> bool {
    list.is_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_offline() {
        let language = Rules::new();
        for rule in rules::all() {
            assert!(language.env.compile(&rule.cel).is_ok(), "{rule:?}");
        }
    }

    #[test]
    fn functions_of_the_api_server_answer_alike() {
        let rules = Rules::new();
        let number = |text: &str| rules.evaluate(text, Cel::Null);
        assert_eq!(number("duration('90s') == duration('1m30s')"), Ok(true));
        assert_eq!(number("[1, 2, 2, 3].isSorted()"), Ok(true));
        assert_eq!(number("[1, 3, 2].isSorted()"), Ok(false));
        assert_eq!(number("[].isSorted()"), Ok(true));
        assert_eq!(number("'Cookie'.lowerAscii() == 'cookie'"), Ok(true));
        let above = |mine: &str, theirs: &str| {
            number(&format!("quantity('{mine}').isGreaterThan(quantity('{theirs}'))"))
        };
        assert_eq!((above("1Gi", "512Mi"), above("500m", "1")), (Ok(true), Ok(false)));
        assert_eq!(above("1", "1000m"), Ok(false));
        assert!(number("duration('x') > duration('1s')").is_err());
    }
}
