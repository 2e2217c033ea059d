//! Each answer has its class, its label and its words.

use kube::client::AuthError;
use kube::core::response::{StatusCause, StatusDetails};

use super::*;

fn details(name: &str, causes: Vec<StatusCause>) -> StatusDetails {
    StatusDetails {
        name: name.into(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes,
        retry_after_seconds: 0,
    }
}

fn refused(verb: &'static str, code: u16, reason: &str, message: &str) -> Error {
    let details = details("checkout", Vec::new());
    let status = Status::failure(message, reason)
        .with_code(code)
        .with_details(details);
    let call = Call::new(verb, "httproutes.gateway.networking.k8s.io")
        .within("shop")
        .on("checkout");
    Error::new(call, kube::Error::Api(status.boxed()))
}

#[test]
fn each_answer_has_its_class_and_label() {
    let rbac = "httproutes is forbidden: User \"x\" cannot patch resource \"httproutes\"";
    for (verb, code, reason, message, class, label) in [
        ("patch", 409, "Conflict", "changed", Class::Conflict, "conflict"),
        (
            "create",
            409,
            "AlreadyExists",
            "there",
            Class::Conflict,
            "already_exists",
        ),
        ("patch", 404, "NotFound", "gone", Class::Conflict, "not_found"),
        ("patch", 403, "Forbidden", rbac, Class::Denied, "forbidden"),
        (
            "create",
            403,
            "Forbidden",
            "exceeded quota: q",
            Class::Invalid,
            "refused",
        ),
        (
            "patch",
            403,
            "Forbidden",
            "a policy says that you cannot",
            Class::Invalid,
            "refused",
        ),
        ("get", 401, "Unauthorized", "no", Class::Denied, "credentials"),
        (
            "patch",
            422,
            "Invalid",
            "test failed",
            Class::Conflict,
            "patch_refused",
        ),
        ("create", 422, "Invalid", "bad field", Class::Invalid, "refused"),
        ("patch", 429, "TooManyRequests", "", Class::Transient, "throttled"),
        ("patch", 504, "Timeout", "", Class::Unknown, "server"),
        ("get", 504, "Timeout", "", Class::Transient, "server"),
        ("watch", 410, "Expired", "", Class::Transient, "expired"),
        ("patch", 415, "UnsupportedMediaType", "", Class::Bug, "request"),
    ] {
        let error = refused(verb, code, reason, message);
        assert_eq!(
            (error.class(), error.label()),
            (class, label),
            "{verb} {code} {message}"
        );
    }
}

#[test]
fn a_denial_names_verb_resource_and_namespace() {
    let error = refused(
        "patch",
        403,
        "Forbidden",
        "User \"x\" cannot patch resource \"httproutes\"",
    );
    assert_eq!(
        error.to_string(),
        "cannot patch httproutes.gateway.networking.k8s.io shop/checkout: not allowed: grant Serin's service \
         account the verb `patch` on `httproutes.gateway.networking.k8s.io` in namespace shop"
    );
}

#[test]
fn a_missing_kind_is_not_a_missing_object() {
    let status =
        Status::failure("the server could not find the requested resource", "NotFound").with_code(404);
    let error = Error::new(
        Call::new("list", "httproutes.gateway.networking.k8s.io"),
        kube::Error::Api(status.boxed()),
    );
    assert!(error.is_not_installed());
    assert_eq!(error.class(), Class::Invalid);
    assert!(!refused("get", 404, "NotFound", "x").is_not_installed());
}

#[test]
fn a_field_error_of_a_patch_is_not_a_failed_test() {
    let mut status = Status::failure("spec.x: Required value", "Invalid").with_code(422);
    let cause = StatusCause {
        reason: "FieldValueRequired".into(),
        message: "Required value".into(),
        field: "spec.x".into(),
    };
    status.details = Some(details("checkout", vec![cause]));
    let error = Error::new(
        Call::new("patch", "deployments.apps")
            .within("shop")
            .on("checkout"),
        kube::Error::Api(status.boxed()),
    );
    assert_eq!(error.class(), Class::Invalid);
    assert!(
        error.to_string().ends_with("HTTP 422: spec.x: Required value"),
        "{error}"
    );
}

#[test]
fn a_write_without_an_answer_is_of_unknown_outcome() {
    let call = |verb| {
        Call::new(verb, "leases.coordination.k8s.io")
            .within("serin")
            .on("serin")
    };
    let limit = Duration::from_secs(5);
    assert_eq!(Error::deadline(call("patch"), limit).class(), Class::Unknown);
    assert_eq!(Error::deadline(call("get"), limit).class(), Class::Transient);
    assert!(
        Error::deadline(call("patch"), limit)
            .to_string()
            .contains("5000 ms (whether")
    );
}

#[test]
fn a_message_is_one_bounded_line() {
    let error = refused("create", 422, "Invalid", &"a\n".repeat(5000));
    assert!(error.to_string().len() < 700);
    assert!(!error.to_string().contains('\n'));
}

/// What a credential program was called with and what it has printed is nobody's business.
#[test]
fn errors_of_credentials_quote_nothing() {
    let quoting = || AuthError::AuthExec("--client-secret=SECRET printed token: SECRET".to_owned());
    for error in [
        kube::Error::Auth(quoting()),
        kube::Error::Service(Box::new(quoting())),
    ] {
        let told = chain(&error);
        assert!(!told.contains("SECRET") && told.contains("credential"), "{told}");
        let call = Call::new("connect to", "the API server");
        let told = Error::new(call, error).to_string();
        assert!(!told.contains("SECRET"), "{told}");
    }
    let unreachable = kube::Error::Service(Box::new(std::io::Error::other("the port is closed")));
    assert!(chain(&unreachable).contains("the port is closed"));
}
