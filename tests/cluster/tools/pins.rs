//! What is built, from which module, at which version. The versions themselves stand in `tests/cluster/pins`: one
//! `go.mod` and `go.sum` a program (so Go checks every byte), and a requirements file with a digest for Envoy.

/// One Go build.
pub(super) struct GoProgram {
    /// The folder under `tests/cluster/pins`.
    pub(super) folder: &'static str,
    /// Package paths with the names of the binaries that come from them.
    pub(super) packages: &'static [(&'static str, &'static str)],
    pub(super) tags: &'static str,
    /// Linker flags after `-s -w`.
    pub(super) ldflags: &'static str,
    /// About how long it takes on two cores with nothing cached, in words.
    pub(super) takes: &'static str,
}

pub(super) const GO: [GoProgram; 5] = [
    GoProgram {
        folder: "etcd",
        packages: &[("etcd", "go.etcd.io/etcd/server/v3")],
        tags: "",
        ldflags: "",
        takes: "half a minute",
    },
    GoProgram {
        folder: "kubernetes",
        packages: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            (
                "kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
        ],
        tags: "",
        // The release is known only from the linker flags; without them the server calls itself v0.0.0.
        ldflags: "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
                  -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
        takes: "4 minutes",
    },
    GoProgram {
        folder: "contour",
        packages: &[("contour", "github.com/projectcontour/contour/cmd/contour")],
        tags: "",
        ldflags: "",
        takes: "3 minutes",
    },
    GoProgram {
        folder: "prometheus",
        packages: &[("prometheus", "github.com/prometheus/prometheus/cmd/prometheus")],
        // Drops the clouds' service discoveries and their SDKs; files and static targets remain.
        tags: "remove_all_sd",
        ldflags: "",
        takes: "2 minutes",
    },
    GoProgram {
        folder: "helm",
        packages: &[("helm", "helm.sh/helm/v4/cmd/helm")],
        tags: "",
        ldflags: "",
        takes: "2 minutes",
    },
];

/// Manifests copied out of pinned modules: target file, pins folder, module, files.
pub(super) const MANIFESTS: [(&str, &str, &str, &[&str]); 3] = [
    (
        "gateway-api.yaml",
        "gateway-api",
        "sigs.k8s.io/gateway-api",
        &[
            "config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml",
            "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
            "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
            "config/crd/standard/gateway.networking.k8s.io_grpcroutes.yaml",
            "config/crd/standard/gateway.networking.k8s.io_referencegrants.yaml",
        ],
    ),
    (
        "contour-crds.yaml",
        "contour",
        "github.com/projectcontour/contour",
        &["examples/contour/01-crds.yaml"],
    ),
    (
        "contour-role.yaml",
        "contour",
        "github.com/projectcontour/contour",
        &["examples/contour/02-role-contour.yaml"],
    ),
];

/// Everything that must be in a complete folder.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let built = GO
        .iter()
        .flat_map(|program| program.packages)
        .map(|(name, _)| *name);
    built.chain(["envoy", "manifests"])
}

/// Changes whenever a pin or a recipe does.
pub(super) fn hash() -> String {
    let texts = [
        include_str!("../pins/etcd/go.sum"),
        include_str!("../pins/etcd/go.mod"),
        include_str!("../pins/kubernetes/go.sum"),
        include_str!("../pins/kubernetes/go.mod"),
        include_str!("../pins/contour/go.sum"),
        include_str!("../pins/contour/go.mod"),
        include_str!("../pins/prometheus/go.sum"),
        include_str!("../pins/prometheus/go.mod"),
        include_str!("../pins/helm/go.sum"),
        include_str!("../pins/helm/go.mod"),
        include_str!("../pins/gateway-api/go.sum"),
        include_str!("../pins/gateway-api/go.mod"),
        include_str!("../pins/envoy.txt"),
        include_str!("build.rs"),
        include_str!("pins.rs"),
        std::env::consts::ARCH,
    ];
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    // FNV-1a: a name for a folder, not a defence.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
