//! Who may call: everybody on this machine who names it by a loopback address, or the holder of a token.

use std::fmt;
use std::net::IpAddr;

use http::{HeaderMap, header};

/// Decides about each call by its headers.
///
/// Without a token, the `Host` must be a loopback address or `localhost`, with any port: a page in a browser that was led
/// here by a name of its own (DNS rebinding) is refused. With one, the `Host` may be anything, and `Authorization` decides.
#[derive(Clone, Default)]
pub struct Guard {
    token: Option<String>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("token", &self.token.as_ref().map(|_| "***"))
            .finish()
    }
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A token is wanted and none came: 401.
    #[error("request is missing required authentication credential")]
    NoToken,
    /// Another token came: 401.
    #[error("request had invalid authentication credentials")]
    WrongToken,
    /// The `Host` is not this machine's: 403.
    #[error("without a token this server answers only to a loopback address or localhost as Host")]
    ForeignHost,
}

impl Guard {
    /// Lets in every call from this machine.
    #[must_use]
    pub const fn open() -> Self {
        Self { token: None }
    }

    /// Lets in the calls that bring this token.
    #[must_use]
    pub fn with_token(token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
        }
    }

    /// Whether a token is wanted.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.token.is_some()
    }

    /// Decides about a call; `authority` is what an absolute request line or HTTP/2 says in place of a `Host` header.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Refused> {
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
        let Some(token) = &self.token else {
            let host = text(header::HOST).or(authority).unwrap_or_default();
            return if is_loopback(host) {
                Ok(())
            } else {
                Err(Refused::ForeignHost)
            };
        };
        let given = text(header::AUTHORIZATION).ok_or(Refused::NoToken)?;
        let given = match given.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
            _ => return Err(Refused::NoToken),
        };
        if same(given.as_bytes(), token.as_bytes()) {
            Ok(())
        } else {
            Err(Refused::WrongToken)
        }
    }
}

/// In a time that does not tell where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Option<IpAddr> = name.parse().ok();
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Guard, Refused};

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let value = HeaderValue::from_str(value).expect("value");
        [(name.parse().expect("name"), value)].into_iter().collect()
    }

    #[test]
    fn without_a_token_the_host_decides() {
        let guard = Guard::open();
        for host in [
            "127.0.0.1:80",
            "127.0.10.2",
            "localhost:1",
            "LOCALHOST",
            "[::1]:9",
            "[::1]",
        ] {
            assert_eq!(guard.check(&headers("host", host), None), Ok(()), "{host}");
        }
        for host in [
            "example.org",
            "127.0.0.1.example.org",
            "10.0.0.1",
            "localhost.evil",
            "",
            "[::2]",
        ] {
            let refused = guard.check(&headers("host", host), None);
            assert_eq!(refused, Err(Refused::ForeignHost), "{host}");
        }
        assert_eq!(guard.check(&HeaderMap::new(), Some("localhost:5")), Ok(()));
        assert!(guard.check(&HeaderMap::new(), None).is_err());
    }

    #[test]
    fn with_a_token_only_the_token_decides() {
        let guard = Guard::with_token("secret");
        let check = |value| guard.check(&headers("authorization", value), None);
        assert_eq!(check("Bearer secret"), Ok(()));
        assert_eq!(check("bearer  secret"), Ok(()));
        assert_eq!(check("Bearer secre"), Err(Refused::WrongToken));
        assert_eq!(check("Bearer secret2"), Err(Refused::WrongToken));
        assert_eq!(check("Basic secret"), Err(Refused::NoToken));
        assert_eq!(
            guard.check(&headers("host", "localhost"), None),
            Err(Refused::NoToken)
        );
        assert!(!format!("{guard:?}").contains("secret"));
    }
}
