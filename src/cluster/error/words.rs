//! A client's error in words that name what to check: why the API server cannot be reached, or what is wrong with the
//! kubeconfig.
//!
//! Invariants: one line; never a word of a kubeconfig, of a credential program or of its answer.

use std::error::Error;
use std::io;

use kube::client::AuthError;
use kube::config::KubeconfigError;

/// Why there is no connection to the API server. The same causes are told of a metric provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// Its host has no address.
    #[error("the API server cannot be reached: its host name is unknown to DNS")]
    UnknownHost,
    /// Nothing listens there.
    #[error("the API server cannot be reached: nothing listens at its address and port")]
    NotListening,
    /// No network leads there.
    #[error("the API server cannot be reached: no network leads to its address")]
    NoRoute,
    /// Its certificate is not accepted.
    #[error(
        "the API server cannot be reached: its certificate is not trusted (wrong name, expired, or another authority than \
         the kubeconfig's)"
    )]
    Untrusted,
    /// No answer in time.
    #[error("the API server cannot be reached: it does not answer in time")]
    Late,
}

impl Unreached {
    /// The cause that a client's error holds, where it is one of these.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| within(*error)).find_map(cause)
    }
}

/// The next of a chain. An `io::Error` is passed through by its own `source`, which would skip what it holds.
fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}

/// An error and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

/// What one error of a chain tells.
fn cause(error: &(dyn Error + 'static)) -> Option<Unreached> {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return Some(Unreached::Untrusted);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // There are many kinds, and more to come.
        #[allow(clippy::wildcard_enum_match_arm)]
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Unreached::NotListening),
            io::ErrorKind::TimedOut => Some(Unreached::Late),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Unreached::NoRoute),
            _ => None,
        };
    }
    // The connector's own error has no public type.
    error
        .to_string()
        .starts_with("dns error")
        .then_some(Unreached::UnknownHost)
}

/// A client's error with its causes, in one line: "no connection" alone helps nobody. Of credentials it tells no more than
/// that they failed, because their errors quote commands, variables and answers.
pub fn chain(error: &kube::Error) -> String {
    let first: &(dyn Error + 'static) = error;
    if causes(first).any(<dyn Error>::is::<AuthError>) || matches!(error, kube::Error::Auth(_)) {
        return "the credentials of the kubeconfig cannot be had: run its credential program, or read its token file, by hand".to_owned();
    }
    if let Some(why) = Unreached::of(first) {
        return why.to_string();
    }
    if let Some(wrong) = causes(first).find_map(|cause| cause.downcast_ref().and_then(kubeconfig)) {
        return wrong;
    }
    // The client's own word for it, `ServiceError`, tells nobody anything.
    let wrapped = matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_));
    let told = first.source().filter(|_| wrapped).unwrap_or(first);
    let mut text = told.to_string();
    for cause in causes(told).skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.replace('\n', " ")
}

/// What is wrong with a kubeconfig that is there; `None` where the client's own words will do.
fn kubeconfig(error: &KubeconfigError) -> Option<String> {
    // The client adds reasons as it grows, and most are plain enough.
    #[allow(clippy::wildcard_enum_match_arm)]
    let wrong = match error {
        // The parser quotes the lines around, and with them tokens and keys.
        KubeconfigError::Parse(error) => {
            let text = error.to_string();
            let place = text.lines().next().and_then(place);
            let at = place.map_or_else(String::new, |place| format!(" at {place}"));
            format!("the kubeconfig cannot be understood{at}: it is no YAML, or not that of a kubeconfig")
        }
        KubeconfigError::CurrentContextNotSet => "the kubeconfig has no current context".to_owned(),
        KubeconfigError::LoadContext(name) => format!("the kubeconfig has no context `{name}`"),
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("the kubeconfig has no cluster `{name}`, which the context names")
        }
        KubeconfigError::MissingClusterUrl => "the kubeconfig's cluster has no server address".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => {
            "the server address of the kubeconfig's cluster is no URL".to_owned()
        }
        _ => return None,
    };
    Some(wrong)
}

/// `line 3 column 11` of `error: line 3 column 11: what was expected`.
fn place(line: &str) -> Option<&str> {
    let place = &line[line.find("line ")?..];
    let end = place.find(|c: char| !c.is_ascii_alphanumeric() && c != ' ');
    Some(&place[..end.unwrap_or(place.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(error: impl Into<Box<dyn Error + Send + Sync>>) -> kube::Error {
        kube::Error::Service(error.into())
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Connector(&'static str, #[source] Option<io::Error>);

    #[test]
    fn what_keeps_from_the_api_server_is_told_apart() {
        let connect = |kind: io::ErrorKind| service(Connector("client error (Connect)", Some(kind.into())));
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        // As the connector for TLS wraps it.
        let untrusted = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, unknown));
        for (error, told) in [
            (connect(io::ErrorKind::ConnectionRefused), Unreached::NotListening),
            (connect(io::ErrorKind::TimedOut), Unreached::Late),
            (connect(io::ErrorKind::HostUnreachable), Unreached::NoRoute),
            (
                service(Connector("client error (Connect)", Some(untrusted))),
                Unreached::Untrusted,
            ),
            (service(Connector("dns error", None)), Unreached::UnknownHost),
        ] {
            assert_eq!(chain(&error), told.to_string());
        }
        let reset = connect(io::ErrorKind::ConnectionReset);
        assert_eq!(Unreached::of(&reset), None);
        assert_eq!(chain(&reset), "client error (Connect): connection reset");
    }

    #[test]
    fn the_place_in_a_kubeconfig_is_told_and_nothing_of_it() {
        let place_of = |line| place(line).unwrap_or("nowhere");
        assert_eq!(
            place_of("error: line 3 column 11: expected a list"),
            "line 3 column 11"
        );
        assert_eq!(place_of("error: line 3 column 11"), "line 3 column 11");
        assert_eq!(place_of("it is empty"), "nowhere");
    }
}
