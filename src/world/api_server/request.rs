//! Reading a request: path, query, and headers, into what it asks for.

use std::collections::BTreeMap;

use http::Method;
use http::request::Parts;
use serde_json::Value;

use super::refusal::Refusal;
use super::resources::{self, Resource};

/// Which part of an object a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Part {
    Main,
    Status,
    Scale,
}

impl Part {
    /// The name in the path and in `managedFields`.
    pub(in crate::world) fn name(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Scale => "scale",
        }
    }
}

/// A resource, a collection or an object of it.
#[derive(Clone, Debug)]
pub(in crate::world) struct Target {
    pub(in crate::world) resource: &'static Resource,
    pub(in crate::world) namespace: String,
    pub(in crate::world) name: Option<String>,
    pub(in crate::world) part: Part,
}

/// One request, read.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) content_type: String,
    pub(super) accept: String,
    pub(super) agent: String,
    pub(super) user: String,
    pub(super) body: Vec<u8>,
}

impl Asked {
    pub(super) fn new(parts: &Parts, body: Vec<u8>, user: &str) -> Self {
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(decode).unwrap_or_default(),
            content_type: header("content-type"),
            accept: header("accept"),
            agent: header("user-agent"),
            user: user.to_owned(),
            body,
        }
    }

    /// A query parameter, empty when absent.
    pub(super) fn param(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.param(name), "true" | "1")
    }

    pub(super) fn dry_run(&self) -> bool {
        self.param("dryRun") == "All"
    }

    /// Who owns the fields that this request writes.
    pub(super) fn manager(&self) -> &str {
        match (self.param("fieldManager"), self.agent.split('/').next()) {
            ("", None | Some("")) => "unknown",
            ("", Some(agent)) => agent,
            (manager, _) => manager,
        }
    }

    /// The body as JSON (YAML for server-side apply is a superset of it).
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        if let Ok(value) = serde_json::from_slice(&self.body) {
            return Ok(value);
        }
        serde_yaml::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("error decoding the request body: {error}")))
    }

    /// The Kubernetes verb, for the trace and for faults.
    pub(super) fn verb(&self, target: Option<&Target>) -> &'static str {
        let named = target.is_some_and(|t| t.name.is_some());
        match self.method.as_str() {
            "GET" if self.is("watch") => "watch",
            "GET" if named || target.is_none() => "get",
            "GET" => "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" if self.content_type.contains("apply-patch") => "apply",
            "PATCH" => "patch",
            "DELETE" if named => "delete",
            "DELETE" => "deletecollection",
            _ => "other",
        }
    }

    /// The resource that the path names; none for discovery and unknown paths.
    pub(super) fn target(&self) -> Option<Target> {
        let segments: Vec<&str> = self.path.split('/').filter(|s| !s.is_empty()).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if rest.first().is_some_and(|s| *s != "status") => {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let (plural, name, part) = match rest {
            [plural] => (*plural, None, Part::Main),
            [plural, name] => (*plural, Some((*name).to_owned()), Part::Main),
            [plural, name, "status"] => (*plural, Some((*name).to_owned()), Part::Status),
            [plural, name, "scale"] => (*plural, Some((*name).to_owned()), Part::Scale),
            _ => return None,
        };
        let resource = resources::find(group, version, plural)?;
        let served = match part {
            Part::Main => true,
            Part::Status => resource.status,
            Part::Scale => resource.scale,
        };
        let scoped = resource.namespaced || namespace.is_empty();
        (served && scoped).then(|| Target {
            resource,
            namespace: namespace.to_owned(),
            name,
            part,
        })
    }
}

/// Decodes a query string.
fn decode(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(key), unescape(value))
        })
        .collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|d| (d as char).to_digit(16)).unwrap_or(0) as u8;
                let high = digit();
                bytes.push(high * 16 + digit());
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str) -> Asked {
        let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
        Asked::new(&request.into_parts().0, Vec::new(), "me")
    }

    #[test]
    fn paths_name_resources() {
        for (uri, plural, namespace, name, part) in [
            ("/api/v1/namespaces/a/services", "services", "a", None, Part::Main),
            ("/api/v1/namespaces/a", "namespaces", "", Some("a"), Part::Main),
            (
                "/api/v1/namespaces/a/status",
                "namespaces",
                "",
                Some("a"),
                Part::Status,
            ),
            (
                "/apis/apps/v1/namespaces/a/deployments/d/scale",
                "deployments",
                "a",
                Some("d"),
                Part::Scale,
            ),
            (
                "/apis/serin.dev/v1alpha1/rollouts",
                "rollouts",
                "",
                None,
                Part::Main,
            ),
        ] {
            let target = asked("GET", uri).target().unwrap();
            assert_eq!(
                (target.resource.plural, target.namespace.as_str()),
                (plural, namespace),
                "{uri}"
            );
            assert_eq!((target.name.as_deref(), target.part), (name, part), "{uri}");
        }
        for uri in [
            "/apis/apps/v1/widgets",
            "/version",
            "/apis/apps/v1",
            "/api/v1/namespaces/a/secrets/s/scale",
        ] {
            assert!(asked("GET", uri).target().is_none(), "{uri}");
        }
    }

    #[test]
    fn queries_are_unescaped() {
        let asked = asked(
            "GET",
            "/api/v1/pods?labelSelector=app%3Da%2Cb+in+%28c%29&watch=true",
        );
        assert_eq!(asked.param("labelSelector"), "app=a,b in (c)");
        assert_eq!(asked.verb(asked.target().as_ref()), "watch");
    }
}
