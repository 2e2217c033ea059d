//! The table of served resources.
//!
//! A kind that is not here does not exist for the world: its path answers 404, as on a server without its CRD.

/// What the world knows about one resource.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a table of facts that do not depend on each other
pub(in crate::world) struct Resource {
    /// API group; empty for core.
    pub(in crate::world) group: &'static str,
    pub(in crate::world) version: &'static str,
    /// Plural, as in the path.
    pub(in crate::world) plural: &'static str,
    pub(in crate::world) kind: &'static str,
    pub(in crate::world) namespaced: bool,
    /// Has a `status` subresource.
    pub(in crate::world) status: bool,
    /// Has a `scale` subresource.
    pub(in crate::world) scale: bool,
    /// Counts its changes in `metadata.generation`.
    pub(in crate::world) generation: bool,
    /// Defined by a CRD: status writes leave metadata alone, unconditional updates are refused.
    pub(super) custom: bool,
    /// Accepts a PUT without `resourceVersion`.
    pub(super) unconditional: bool,
    pub(super) short: &'static [&'static str],
}

impl Resource {
    /// `apps/v1`, or `v1` for core.
    pub(in crate::world) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `deployments.apps`, as in error messages.
    pub(super) fn qualified(&self) -> String {
        dotted(self.plural, self.group)
    }

    /// `Deployment.apps`, as in validation messages.
    pub(super) fn qualified_kind(&self) -> String {
        dotted(self.kind, self.group)
    }
}

fn dotted(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

const fn built_in(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource {
        group,
        version: "v1",
        plural,
        kind,
        namespaced: true,
        status: false,
        scale: false,
        generation: false,
        custom: false,
        unconditional: true,
        short: &[],
    }
}

const fn custom(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
) -> Resource {
    Resource {
        version,
        status: true,
        generation: true,
        custom: true,
        unconditional: false,
        ..built_in(group, plural, kind)
    }
}

const ADMISSION: &str = "admissionregistration.k8s.io";
const GATEWAY: &str = "gateway.networking.k8s.io";

/// Every served resource.
pub(in crate::world) static RESOURCES: &[Resource] = &[
    Resource {
        status: true,
        short: &["svc"],
        ..built_in("", "services", "Service")
    },
    Resource {
        status: true,
        generation: true,
        short: &["po"],
        ..built_in("", "pods", "Pod")
    },
    Resource {
        namespaced: false,
        status: true,
        short: &["no"],
        ..built_in("", "nodes", "Node")
    },
    Resource {
        namespaced: false,
        status: true,
        short: &["ns"],
        ..built_in("", "namespaces", "Namespace")
    },
    built_in("", "secrets", "Secret"),
    Resource {
        short: &["cm"],
        ..built_in("", "configmaps", "ConfigMap")
    },
    Resource {
        status: true,
        short: &["quota"],
        ..built_in("", "resourcequotas", "ResourceQuota")
    },
    Resource {
        status: true,
        scale: true,
        generation: true,
        short: &["deploy"],
        ..built_in("apps", "deployments", "Deployment")
    },
    Resource {
        status: true,
        scale: true,
        generation: true,
        short: &["rs"],
        ..built_in("apps", "replicasets", "ReplicaSet")
    },
    Resource {
        generation: true,
        ..built_in("discovery.k8s.io", "endpointslices", "EndpointSlice")
    },
    Resource {
        unconditional: false,
        ..built_in("coordination.k8s.io", "leases", "Lease")
    },
    Resource {
        short: &["ev"],
        ..built_in("events.k8s.io", "events", "Event")
    },
    Resource {
        version: "v2",
        status: true,
        short: &["hpa"],
        ..built_in(
            "autoscaling",
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
        )
    },
    Resource {
        status: true,
        generation: true,
        unconditional: false,
        short: &["pdb"],
        ..built_in("policy", "poddisruptionbudgets", "PodDisruptionBudget")
    },
    Resource {
        generation: true,
        short: &["netpol"],
        ..built_in("networking.k8s.io", "networkpolicies", "NetworkPolicy")
    },
    Resource {
        status: true,
        generation: true,
        short: &["ing"],
        ..built_in("networking.k8s.io", "ingresses", "Ingress")
    },
    Resource {
        namespaced: false,
        generation: true,
        ..built_in(ADMISSION, "mutatingadmissionpolicies", "MutatingAdmissionPolicy")
    },
    Resource {
        namespaced: false,
        generation: true,
        ..built_in(
            ADMISSION,
            "mutatingadmissionpolicybindings",
            "MutatingAdmissionPolicyBinding",
        )
    },
    Resource {
        namespaced: false,
        status: true,
        generation: true,
        ..built_in(
            ADMISSION,
            "validatingadmissionpolicies",
            "ValidatingAdmissionPolicy",
        )
    },
    Resource {
        namespaced: false,
        generation: true,
        ..built_in(
            ADMISSION,
            "validatingadmissionpolicybindings",
            "ValidatingAdmissionPolicyBinding",
        )
    },
    Resource {
        namespaced: false,
        ..built_in(
            "authorization.k8s.io",
            "selfsubjectaccessreviews",
            "SelfSubjectAccessReview",
        )
    },
    custom(GATEWAY, "v1", "httproutes", "HTTPRoute"),
    custom(GATEWAY, "v1", "backendtlspolicies", "BackendTLSPolicy"),
    Resource {
        short: &["gtw"],
        ..custom(GATEWAY, "v1", "gateways", "Gateway")
    },
    Resource {
        namespaced: false,
        short: &["gc"],
        ..custom(GATEWAY, "v1", "gatewayclasses", "GatewayClass")
    },
    Resource {
        short: &["sro"],
        ..custom("serin.dev", "v1alpha1", "rollouts", "Rollout")
    },
    custom("serin.dev", "v1alpha1", "rolloutactions", "RolloutAction"),
    Resource {
        namespaced: false,
        ..custom("serin.dev", "v1alpha1", "metricproviders", "MetricProvider")
    },
];

/// The resource at a path.
pub(super) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    RESOURCES
        .iter()
        .find(|r| r.group == group && r.version == version && r.plural == plural)
}

/// The resource of an object, by its `apiVersion` and `kind`.
pub(in crate::world) fn of_kind(api_version: &str, kind: &str) -> Option<&'static Resource> {
    RESOURCES
        .iter()
        .find(|r| r.kind == kind && r.api_version() == api_version)
}

/// The resource with this group and plural, for the world's own controllers, which name only served ones.
pub(in crate::world) fn plural(group: &str, plural: &str) -> &'static Resource {
    RESOURCES
        .iter()
        .find(|r| r.group == group && r.plural == plural)
        .unwrap_or(&RESOURCES[0])
}
