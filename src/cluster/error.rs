//! One error for every call to the API server: what was attempted on which object, why it failed, what to do.
//!
//! Invariants: [`Error::label`] has a bounded set of values, so that it may become a metric label; the text is one
//! bounded line; a write whose outcome is not known is never called a failure ([`Class::Unknown`]).

#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use kube::core::Status;

pub use self::words::{Unreached, chain};

/// The call that failed: the words of RBAC and of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `get`, `list`, `watch`, `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
    /// Plural, with the group and the subresource: `httproutes.gateway.networking.k8s.io`, `deployments.apps/scale`.
    pub resource: Cow<'static, str>,
    /// Namespace of the object; `None` for a cluster-scoped one or a list of all namespaces.
    pub namespace: Option<String>,
    /// Name of the object; `None` for a list.
    pub name: Option<String>,
}

impl Call {
    /// A call on a resource, in no namespace and on no object yet.
    pub fn new(verb: &'static str, resource: impl Into<Cow<'static, str>>) -> Self {
        Self {
            verb,
            resource: resource.into(),
            namespace: None,
            name: None,
        }
    }

    /// This call, in a namespace.
    #[must_use]
    pub fn within(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// This call, on one object.
    #[must_use]
    pub fn on(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the call may have changed something.
    pub fn writes(&self) -> bool {
        !matches!(self.verb, "get" | "list" | "watch")
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (Some(namespace), None) => write!(f, " in namespace {namespace}"),
            (None, Some(name)) => write!(f, " {name}"),
            (None, None) => Ok(()),
        }
    }
}

/// A call to the API server that gave no usable answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot {call}: {}", self.why())]
pub struct Error {
    call: Box<Call>,
    #[source]
    cause: Cause,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No answer within the deadline.
    #[error("no answer within {} ms", .0.as_millis())]
    Deadline(Duration),
    /// The API server refused.
    #[error("the API server answers {}", .0.code)]
    Refused(Box<Status>),
    /// The client could not ask, or not understand the answer.
    #[error(transparent)]
    Client(Box<kube::Error>),
    /// The answer, or what was to be sent, lacks something that must be there.
    #[error("{0}")]
    Unusable(String),
}

/// What the caller has to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing was done; the same call may work later.
    Transient,
    /// The object is not as the decision saw it: drop the decision, read again, decide again.
    Conflict,
    /// The credentials do not suffice: a person must grant rights.
    Denied,
    /// The server will refuse this for as long as the request stays the same.
    Invalid,
    /// A write may or may not have been done: read again before anything else.
    Unknown,
    /// Serin asked for nonsense.
    Bug,
}

/// The most characters of a server's own message that are shown.
const MESSAGE_MAX: usize = 512;

impl Error {
    /// `call` failed with what the client says.
    pub fn new(call: Call, source: kube::Error) -> Self {
        let cause = if let kube::Error::Api(status) = source {
            Cause::Refused(status)
        } else {
            Cause::Client(Box::new(source))
        };
        Self {
            call: Box::new(call),
            cause,
        }
    }

    /// `call` had no answer within `limit`.
    pub fn deadline(call: Call, limit: Duration) -> Self {
        Self {
            call: Box::new(call),
            cause: Cause::Deadline(limit),
        }
    }

    /// The answer to `call` (or the request) is not usable, as `why` says.
    pub fn unusable(call: Call, why: impl Into<String>) -> Self {
        Self {
            call: Box::new(call),
            cause: Cause::Unusable(why.into()),
        }
    }

    /// The call that failed.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// What the API server answered, if it did.
    pub fn status(&self) -> Option<&Status> {
        match &self.cause {
            Cause::Refused(status) => Some(status),
            Cause::Deadline(_) | Cause::Client(_) | Cause::Unusable(_) => None,
        }
    }

    /// The object is not there (or its kind is not installed: [`Error::is_not_installed`]).
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    /// The server does not know the kind.
    pub fn is_not_installed(&self) -> bool {
        // Only an answer about an object carries its name.
        self.status().is_some_and(|status| {
            status.is_not_found()
                && status
                    .details
                    .as_ref()
                    .is_none_or(|details| details.name.is_empty())
        })
    }

    /// An object of the name is there already.
    pub fn is_already_exists(&self) -> bool {
        self.status().is_some_and(Status::is_already_exists)
    }

    /// A `test` of a JSON patch failed (or the patch does not fit the object): 422 without a cause in a field.
    pub fn is_patch_refused(&self) -> bool {
        self.call.verb == "patch"
            && self.status().is_some_and(|status| {
                status.is_invalid()
                    && status
                        .details
                        .as_ref()
                        .is_none_or(|details| details.causes.is_empty())
            })
    }

    /// The API server gave no answer at all: its address may be wrong, or it is down.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.label(), "connection" | "deadline")
    }

    /// RBAC's own refusal, as opposed to a quota's or an admission policy's, which are 403 as well.
    fn is_rbac(&self, status: &Status) -> bool {
        let words = format!(" cannot {} resource ", self.call.verb);
        status.is_forbidden() && status.message.contains(&words)
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        let lost = if self.call.writes() {
            Class::Unknown
        } else {
            Class::Transient
        };
        match &self.cause {
            Cause::Deadline(_) => lost,
            Cause::Unusable(_) => Class::Bug,
            Cause::Refused(_) if self.is_not_installed() => Class::Invalid,
            Cause::Refused(status) => match status.code {
                _ if status.is_conflict() || status.is_already_exists() || status.is_not_found() => {
                    Class::Conflict
                }
                _ if self.is_patch_refused() => Class::Conflict,
                401 => Class::Denied,
                403 if self.is_rbac(status) => Class::Denied,
                403 | 422 => Class::Invalid,
                410 | 429 => Class::Transient,
                code if code >= 500 || code == 408 => lost,
                _ => Class::Bug,
            },
            Cause::Client(error) => match client_label(error) {
                "credentials" => Class::Denied,
                "request" => Class::Bug,
                _ => lost,
            },
        }
    }

    /// One of a few words, for metrics.
    pub fn label(&self) -> &'static str {
        match &self.cause {
            Cause::Deadline(_) => "deadline",
            Cause::Unusable(_) => "unusable",
            Cause::Refused(_) if self.is_not_installed() => "not_installed",
            Cause::Refused(status) => match status.code {
                _ if status.is_already_exists() => "already_exists",
                _ if status.is_conflict() => "conflict",
                _ if status.is_not_found() => "not_found",
                _ if self.is_patch_refused() => "patch_refused",
                401 => "credentials",
                403 if self.is_rbac(status) => "forbidden",
                403 | 422 => "refused",
                410 => "expired",
                429 => "throttled",
                code if code >= 500 || code == 408 => "server",
                _ => "request",
            },
            Cause::Client(error) => client_label(error),
        }
    }

    /// The sentence after "cannot <call>: ".
    fn why(&self) -> String {
        let Cause::Refused(status) = &self.cause else {
            let doubt = if self.class() == Class::Unknown {
                " (whether it was done is not known: it is read again)"
            } else {
                ""
            };
            let why = match &self.cause {
                Cause::Client(error) => chain(error),
                Cause::Deadline(_) | Cause::Refused(_) | Cause::Unusable(_) => self.cause.to_string(),
            };
            return format!("{}{doubt}", bounded(&why));
        };
        match self.label() {
            "forbidden" => {
                let at = self.call.namespace.as_ref().map_or_else(
                    || "in the whole cluster".to_owned(),
                    |namespace| format!("in namespace {namespace}"),
                );
                format!(
                    "not allowed: grant Serin's service account the verb `{}` on `{}` {at}",
                    self.call.verb, self.call.resource
                )
            }
            "credentials" => {
                "the API server does not accept the credentials: renew the token or the kubeconfig".into()
            }
            "not_installed" => {
                "the API server does not know this resource: install its CustomResourceDefinition".into()
            }
            "not_found" => "not found".into(),
            "conflict" => "it was changed meanwhile".into(),
            "already_exists" => "it exists already".into(),
            "patch_refused" => "it is not as the patch expects".into(),
            "throttled" => "the API server asks to wait".into(),
            _ => format!("HTTP {}: {}", status.code, bounded(&status.message)),
        }
    }
}

fn client_label(error: &kube::Error) -> &'static str {
    // The enum has variants by feature: a wildcard is the only way to match it.
    #[allow(clippy::wildcard_enum_match_arm)]
    match error {
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => "request",
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => "unreadable",
        kube::Error::Auth(_)
        | kube::Error::InferConfig(_)
        | kube::Error::InferKubeconfig(_)
        | kube::Error::RustlsTls(_)
        | kube::Error::TlsRequired
        | kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::ProxyProtocolDisabled { .. } => "credentials",
        _ => "connection",
    }
}

/// One line of at most [`MESSAGE_MAX`] characters.
fn bounded(message: &str) -> String {
    let line: String = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_MAX)
        .collect();
    line
}
