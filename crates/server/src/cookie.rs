//! The cookie that tells a load balancer which instance holds a session.
//!
//! Follows the stock server's option `cookie`: `io=<sid>; Path=/; HttpOnly; SameSite=Lax`, sent
//! with the answer to a long-polling handshake and nowhere else. Owns the text of the field. Does
//! not own when it is sent; nothing here ever reads a cookie.

use std::fmt;
use std::time::Duration;

use hyper::header::HeaderValue;
use relay_engineio::sid::SessionId;

/// `SameSite`: with which requests of other sites the cookie comes along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With a visit by link.
    Lax,
    /// With all; browsers demand `Secure` then.
    None,
}

/// What [`Cookie`] is built from. The defaults are the stock server's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieOptions {
    /// The name, `io` by default.
    pub name: String,
    /// `Path`, `/` by default; `None` leaves it out, and browsers take that of the request.
    pub path: Option<String>,
    /// `HttpOnly`, on by default: scripts do not see it.
    pub http_only: bool,
    /// `SameSite`, `Lax` by default.
    pub same_site: Option<SameSite>,
    /// `Max-Age` in whole seconds; `None` makes it a cookie of the browser's session.
    pub max_age: Option<Duration>,
    /// `Domain`; `None` means the host of the request only.
    pub domain: Option<String>,
    /// `Secure`: over TLS only.
    pub secure: bool,
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            path: Some("/".to_owned()),
            http_only: true,
            same_site: Some(SameSite::Lax),
            max_age: None,
            domain: None,
            secure: false,
        }
    }
}

/// Why no cookie can be made of some options. All of them are mistakes of whoever configures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CookieError {
    /// Not a name (RFC 6265 §4.1.1: a token).
    Name(String),
    /// Not a path: ASCII that can be shown, without `;` and `<`.
    Path(String),
    /// Not a domain.
    Domain(String),
    /// Browsers drop a cookie with `SameSite=None` that lacks `Secure`.
    NoneWithoutSecure,
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?} is no name of a cookie"),
            Self::Path(path) => write!(f, "{path:?} is no path of a cookie"),
            Self::Domain(domain) => write!(f, "{domain:?} is no domain of a cookie"),
            Self::NoneWithoutSecure => f.write_str("browsers drop SameSite=None without Secure"),
        }
    }
}

impl std::error::Error for CookieError {}

/// The cookie but for its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cookie {
    name: String,
    attributes: String,
}

impl Cookie {
    /// Checks the options and writes the attributes.
    ///
    /// # Errors
    /// The first of the options that no browser would accept.
    pub fn new(options: &CookieOptions) -> Result<Self, CookieError> {
        if !is_token(&options.name) {
            return Err(CookieError::Name(options.name.clone()));
        }
        if options.same_site == Some(SameSite::None) && !options.secure {
            return Err(CookieError::NoneWithoutSecure);
        }
        let mut attributes = String::new();
        if let Some(age) = options.max_age {
            attributes += &format!("; Max-Age={}", age.as_secs());
        }
        if let Some(domain) = &options.domain {
            if !is_domain(domain) {
                return Err(CookieError::Domain(domain.clone()));
            }
            attributes += &format!("; Domain={domain}");
        }
        if let Some(path) = &options.path {
            if !is_path(path) {
                return Err(CookieError::Path(path.clone()));
            }
            attributes += &format!("; Path={path}");
        }
        if options.http_only {
            attributes += "; HttpOnly";
        }
        if options.secure {
            attributes += "; Secure";
        }
        attributes += match options.same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        };
        Ok(Self { name: options.name.clone(), attributes })
    }

    /// The value of `Set-Cookie` for this session. It holds the session's secret, so the value is
    /// marked as sensitive.
    #[must_use]
    pub fn header_value(&self, sid: &SessionId) -> HeaderValue {
        let text = format!("{}={}{}", self.name, sid.to_text(), self.attributes);
        let mut value =
            HeaderValue::from_str(&text).expect("the parts were checked, and an id is plain ASCII");
        value.set_sensitive(true);
        value
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c))
}

/// Browsers ignore a path that does not begin with a slash.
fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|c| matches!(c, b' '..=b'~') && c != b';' && c != b'<')
}

/// Labels of letters, digits and inner hyphens behind an optional dot.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    domain.strip_prefix('.').unwrap_or(domain).split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use relay_engineio::sid::SessionId;
    use serde_json::Value;

    use super::{Cookie, CookieError, CookieOptions, SameSite};

    const SID: &str = "lv_VI97HAXpY6yYWAAAC";

    fn built(options: &CookieOptions) -> Result<String, CookieError> {
        let sid = SessionId::parse(SID).expect("twenty of the alphabet");
        let value = Cookie::new(options)?.header_value(&sid);
        assert!(value.is_sensitive());
        Ok(value.to_str().expect("plain ASCII").to_owned())
    }

    /// `tests/golden/generate.mjs` wrote what the stock server sends for the same options.
    #[test]
    fn options_become_the_stock_text() {
        let mut cases = 0;
        for line in include_str!("../tests/golden/cookie.jsonl").lines() {
            let case: Value = serde_json::from_str(line).expect("golden line");
            let stock = &case["options"];
            let text = |key: &str| stock[key].as_str().map(str::to_owned);
            let options = CookieOptions {
                name: text("name").expect("every case has a name"),
                path: text("path"),
                http_only: stock["httpOnly"].as_bool().expect("every case says it"),
                same_site: text("sameSite").map(|it| match it.as_str() {
                    "strict" => SameSite::Strict,
                    "lax" => SameSite::Lax,
                    "none" => SameSite::None,
                    other => panic!("{other}"),
                }),
                max_age: stock["maxAge"].as_u64().map(Duration::from_secs),
                domain: text("domain"),
                secure: stock["secure"].as_bool().unwrap_or(false),
            };
            assert_eq!(built(&options).as_deref(), Ok(case["value"].as_str().unwrap()), "{line}");
            cases += 1;
        }
        assert!(cases > 10);
        let default = format!("io={SID}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(built(&CookieOptions::default()), Ok(default));
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut CookieOptions), expected: CookieError) {
        let mut options = CookieOptions::default();
        change(&mut options);
        assert_eq!(built(&options), Err(expected));
    }

    #[test]
    fn what_browsers_drop_is_refused() {
        for name in ["", "a b", "a=b", "a;b", "é", "a\r\nb", "a,b"] {
            check(|it| it.name = name.to_owned(), CookieError::Name(name.to_owned()));
        }
        for path in ["", "x", "/a;b", "/<", "/é", "/\n", "/\u{7f}"] {
            check(|it| it.path = Some(path.to_owned()), CookieError::Path(path.to_owned()));
        }
        let long = "a".repeat(64);
        for domain in ["", ".", "a..b", "-a.b", "a-.b", "a_b", "a b", "a;b", "a.", "é.b", &long] {
            let error = CookieError::Domain(domain.to_owned());
            check(|it| it.domain = Some(domain.to_owned()), error);
        }
        let none = Some(SameSite::None);
        check(|it| it.same_site = none, CookieError::NoneWithoutSecure);
    }
}
