//! Cross-origin rules: the header fields of preflights and answers, and who may upgrade.
//!
//! Follows the npm package `cors` 2.8, which the stock server uses: same fields, same values, same
//! merging of `Vary`. Two things are ours: `*` together with credentials, which every browser
//! refuses, cannot be built, and the same list guards WebSocket upgrades, to which browsers apply
//! no CORS at all. Owns the rules only. Does not own methods, paths or status codes.

mod origin;
mod settings;

use std::fmt;
use std::time::Duration;

use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Who may read answers and open WebSockets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Everybody: `Access-Control-Allow-Origin: *`.
    Any,
    /// One origin. It is named in every answer, whoever asks, as the stock server does.
    Fixed(String),
    /// These origins. One that asks and is among them is named, others are not answered.
    List(Vec<String>),
    /// Whoever asks is named. With credentials this lets every page act as its visitor.
    Reflect,
}

/// What [`Cors`] is built from. The defaults are those of the environment: any origin, `GET` and
/// `POST`, no credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CorsOptions {
    /// Who may ask. Origins are written as browsers send them: `https://example.com:8443`.
    pub origin: Origin,
    /// `Access-Control-Allow-Methods` of preflights; left out if empty.
    pub methods: Vec<String>,
    /// `Access-Control-Allow-Credentials`: cookies and HTTP authentication may come along.
    pub credentials: bool,
    /// `Access-Control-Allow-Headers` of preflights; `None` grants whatever is asked for.
    pub allowed_headers: Option<Vec<String>>,
    /// `Access-Control-Expose-Headers`; left out if empty.
    pub exposed_headers: Vec<String>,
    /// `Access-Control-Max-Age` of preflights, in whole seconds; `None` leaves it out.
    pub max_age: Option<Duration>,
}

impl Default for CorsOptions {
    fn default() -> Self {
        Self {
            origin: Origin::Any,
            methods: vec!["GET".to_owned(), "POST".to_owned()],
            credentials: false,
            allowed_headers: None,
            exposed_headers: Vec::new(),
            max_age: None,
        }
    }
}

/// Why no rules can be made of some options. All of them are mistakes of whoever configures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CorsError {
    /// Browsers refuse credentials from a server that answers `*`.
    AnyWithCredentials,
    /// No browser sends this origin.
    Origin {
        /// As it was written.
        origin: String,
        /// What would be accepted.
        wrong: &'static str,
    },
    /// Not the name of a method.
    Method(String),
    /// Not the name of a header field.
    Header(String),
}

impl fmt::Display for CorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyWithCredentials => f.write_str(
                "browsers refuse credentials if any origin is allowed: name the origins",
            ),
            Self::Origin { origin, wrong } => write!(f, "{origin:?} is no origin: {wrong}"),
            Self::Method(method) => {
                write!(f, "{method:?} is no method: names such as GET are accepted, in capitals")
            }
            Self::Header(name) => write!(f, "{name:?} is no name of a header field"),
        }
    }
}

impl std::error::Error for CorsError {}

/// The rules, ready to be applied: what an answer needs is written already.
#[derive(Clone, Debug)]
pub struct Cors {
    origin: Allowed,
    methods: Option<HeaderValue>,
    credentials: bool,
    allowed_headers: AllowedHeaders,
    exposed_headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
enum Allowed {
    Any,
    Fixed(HeaderValue),
    List(Vec<HeaderValue>),
    Reflect,
}

#[derive(Clone, Debug)]
enum AllowedHeaders {
    Asked,
    These(Option<HeaderValue>),
}

impl Cors {
    /// Checks the options and writes the values.
    ///
    /// # Errors
    /// The first of the options that no browser would accept.
    pub fn new(options: &CorsOptions) -> Result<Self, CorsError> {
        if options.credentials && options.origin == Origin::Any {
            return Err(CorsError::AnyWithCredentials);
        }
        let origin = match &options.origin {
            Origin::Any => Allowed::Any,
            Origin::Fixed(one) => Allowed::Fixed(origin::parse(one)?),
            Origin::List(all) => {
                Allowed::List(all.iter().map(|one| origin::parse(one)).collect::<Result<_, _>>()?)
            }
            Origin::Reflect => Allowed::Reflect,
        };
        let allowed_headers = match &options.allowed_headers {
            None => AllowedHeaders::Asked,
            Some(names) => AllowedHeaders::These(list(names, is_field_name, CorsError::Header)?),
        };
        Ok(Self {
            origin,
            methods: list(&options.methods, is_method, CorsError::Method)?,
            credentials: options.credentials,
            allowed_headers,
            exposed_headers: list(&options.exposed_headers, is_field_name, CorsError::Header)?,
            max_age: options.max_age.map(|age| HeaderValue::from(age.as_secs())),
        })
    }

    /// All header fields of the 204 that answers an `OPTIONS` with the header fields `request`. A
    /// refused origin gets it too, without `Access-Control-Allow-Origin`: the browser draws its
    /// conclusion. The package adds `Content-Length: 0`, which a 204 must not have (RFC 9110 §8.6).
    #[must_use]
    pub fn preflight(&self, request: &HeaderMap) -> HeaderMap {
        let mut fields = HeaderMap::new();
        self.write_origin(request, &mut fields);
        if let Some(methods) = &self.methods {
            fields.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
        }
        let names = match &self.allowed_headers {
            AllowedHeaders::Asked => {
                vary(&mut fields, "Access-Control-Request-Headers");
                let asked = joined(request, &header::ACCESS_CONTROL_REQUEST_HEADERS);
                asked.filter(|asked| !asked.is_empty())
            }
            AllowedHeaders::These(names) => names.clone(),
        };
        if let Some(names) = names {
            fields.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        if let Some(max_age) = &self.max_age {
            fields.insert(header::ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        self.write_exposed(&mut fields);
        fields
    }

    /// Adds to an answer that is no preflight what a request with the header fields `request` may
    /// see: to errors and to the 101 just as to a 200.
    pub fn decorate(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.write_origin(request, answer);
        self.write_exposed(answer);
    }

    /// Whether a WebSocket handshake with this `Origin` is let in; if not, the stock server's
    /// answer is code 4, `Forbidden`. A client without the field is no browser, so nobody's cookies
    /// are at stake. More than the stock server does: there a page of any origin may upgrade.
    #[must_use]
    pub fn allows_upgrade(&self, origin: Option<&HeaderValue>) -> bool {
        let Some(origin) = origin else { return true };
        match &self.origin {
            Allowed::Any | Allowed::Reflect => true,
            Allowed::Fixed(one) => one == origin,
            Allowed::List(all) => all.contains(origin),
        }
    }

    fn write_origin(&self, request: &HeaderMap, fields: &mut HeaderMap) {
        let named = match &self.origin {
            Allowed::Any => Some(HeaderValue::from_static("*")),
            Allowed::Fixed(one) => Some(one.clone()),
            Allowed::List(all) => {
                joined(request, &header::ORIGIN).filter(|origin| all.contains(origin))
            }
            Allowed::Reflect => {
                joined(request, &header::ORIGIN).filter(|origin| !origin.is_empty())
            }
        };
        if let Some(named) = named {
            fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, named);
        }
        if !matches!(self.origin, Allowed::Any) {
            vary(fields, "Origin");
        }
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            fields.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }

    fn write_exposed(&self, fields: &mut HeaderMap) {
        if let Some(names) = &self.exposed_headers {
            fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
    }
}

/// The names behind one another, or nothing for no names.
fn list(
    names: &[String],
    valid: fn(&str) -> bool,
    wrong: fn(String) -> CorsError,
) -> Result<Option<HeaderValue>, CorsError> {
    if let Some(name) = names.iter().find(|name| !valid(name)) {
        return Err(wrong(name.clone()));
    }
    let all = names.join(",");
    let value = HeaderValue::from_str(&all).map_err(|_| wrong(all))?;
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// Methods are compared by case, and all that browsers send by themselves are in capitals.
fn is_method(name: &str) -> bool {
    Method::from_bytes(name.as_bytes()).is_ok() && !name.contains(|c: char| c.is_ascii_lowercase())
}

fn is_field_name(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// The value of a field; of one that comes several times, all of them as one list.
fn joined(fields: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = fields.get_all(name).iter();
    let first = values.next()?;
    if fields.get_all(name).iter().nth(1).is_none() {
        return Some(first.clone());
    }
    let all: Vec<&[u8]> = fields.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&all.join(&b", "[..])).ok()
}

/// Adds a name to `Vary`, unless it is there in any case, or `*` says it all.
pub(crate) fn vary(fields: &mut HeaderMap, name: &'static str) {
    let there = joined(fields, &header::VARY);
    let there = there.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
    let mut names = there.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let value = if there.is_empty() {
        HeaderValue::from_static(name)
    } else if names.clone().any(|one| one == b"*") {
        HeaderValue::from_static("*")
    } else if names.any(|one| one.eq_ignore_ascii_case(name.as_bytes())) {
        return;
    } else {
        let all = [there, b", ", name.as_bytes()].concat();
        HeaderValue::from_bytes(&all).unwrap_or(HeaderValue::from_static("*"))
    };
    fields.insert(header::VARY, value);
}
