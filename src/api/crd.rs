//! The CustomResourceDefinitions, generated.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{MetricProvider, Rollout, RolloutAction};

/// The definitions of all three kinds.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![Rollout::crd(), RolloutAction::crd(), MetricProvider::crd()]
}
