//! The raw objects behind one observation, as the API server gave them.
//!
//! They stay JSON: a typed round trip would lose the fields that this build does not know, and the user's
//! template must be copied whole.

use std::collections::BTreeSet;

use serde_json::Value;

/// All objects that concern one Rollout, read from the caches (or live, before a risky write).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Namespace of everything here.
    pub namespace: String,
    /// The Rollout.
    pub rollout: Value,
    /// The user's Deployment.
    pub workload: Option<Value>,
    /// The ReplicaSets that the Deployment owns.
    pub replica_sets: Vec<Value>,
    /// The Service of the stable pods.
    pub service: Option<Value>,
    /// The routes that the Rollout names, in its order; `None` where one is not there.
    pub routes: Vec<(String, Option<Value>)>,
    /// Those of them that other Rollouts name too.
    pub shared: BTreeSet<String>,
    /// These other Rollouts.
    pub sharers: Vec<Value>,
    /// Deployments that carry this Rollout's `serin.dev/rollout-uid`.
    pub candidates: Vec<Value>,
    /// Services that carry this Rollout's `serin.dev/rollout-uid`.
    pub candidate_services: Vec<Value>,
    /// EndpointSlices of the stable Service and of the candidate's.
    pub endpoint_slices: Vec<Value>,
    /// Pods of the candidate, for the reason why they are not ready.
    pub candidate_pods: Vec<Value>,
    /// Other objects of the namespace whose selectors might catch the candidate's pods, or that speak of the stable Service
    /// by its name: Services, Deployments, PodDisruptionBudgets, HorizontalPodAutoscalers, NetworkPolicies,
    /// BackendTLSPolicies.
    pub neighbours: Vec<Value>,
    /// Deployments that carry this Rollout's gate though it names another one now, and no other Rollout names them; each
    /// with its ReplicaSets.
    pub left: Vec<(Value, Vec<Value>)>,
    /// `RolloutAction`s for this Rollout.
    pub actions: Vec<Value>,
    /// Other Rollouts of the namespace.
    pub rivals: Vec<Value>,
}
