//! The base address of a metric server, parsed once.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// An `http` or `https` address without user, query and fragment, and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an absolute URL with a host.
    #[error("the provider's address is not a URL: write it like http://prometheus.monitoring:9090")]
    Syntax,
    /// Neither http nor https.
    #[error("the provider's address must begin with http:// or https://")]
    Scheme,
    /// Credentials in the address would show in logs.
    #[error("the provider's address must not hold a user or password: use a bearer token file")]
    User,
    /// A query or fragment has no place in a base address.
    #[error("the provider's address must end with its path: remove what follows `?` or `#`")]
    Tail,
}

impl Address {
    /// The text of the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::Syntax)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme);
        }
        if !url.has_host() {
            return Err(AddressError::Syntax);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::User);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Tail);
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    #[test]
    fn an_address_is_parsed_once_and_its_faults_are_named() {
        let cases = [
            ("http://prometheus:9090", Ok("http://prometheus:9090")),
            (
                "https://mimir.example/prometheus/",
                Ok("https://mimir.example/prometheus"),
            ),
            ("http://[::1]:9090/", Ok("http://[::1]:9090")),
            ("prometheus:9090", Err(AddressError::Scheme)),
            ("prometheus", Err(AddressError::Syntax)),
            ("http://", Err(AddressError::Syntax)),
            ("file:///etc/passwd", Err(AddressError::Scheme)),
            ("http://me:secret@prometheus", Err(AddressError::User)),
            ("http://prometheus?x=1", Err(AddressError::Tail)),
            ("http://prometheus#x", Err(AddressError::Tail)),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<Address>();
            assert_eq!(
                parsed.as_ref().map(Address::as_str),
                expected.as_ref().map(|x| *x),
                "{text}"
            );
        }
    }
}
