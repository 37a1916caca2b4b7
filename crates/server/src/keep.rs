//! What a session keeps of the request that it began with.

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use relay_hub::{Field, Head};

/// How much of the requests that sessions begin with is kept for
/// [`ConnectRequest::handshake`](relay_hub::ConnectRequest) and
/// [`Context::handshake`](relay_hub::Context::handshake). It stays as long as the session does, and
/// weighs on the memory budget.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Keep {
    /// The address alone.
    #[default]
    Nothing,
    /// The query, and the header fields of these names.
    Fields(Vec<HeaderName>),
    /// The query and all header fields.
    Everything,
}

impl Keep {
    pub(crate) fn of(&self, head: &Parts) -> Option<Arc<Head>> {
        let is_kept = |name: &HeaderName| match self {
            Self::Nothing => false,
            Self::Fields(names) => names.contains(name),
            Self::Everything => true,
        };
        if *self == Self::Nothing {
            return None;
        }
        let field = |(name, value): (&HeaderName, &HeaderValue)| Field {
            name: name.as_str().into(),
            value: value.as_bytes().into(),
        };
        let fields = head.headers.iter().filter(|(name, _)| is_kept(name)).map(field);
        let query = head.uri.query().unwrap_or_default().into();
        Some(Arc::new(Head { query, fields: fields.collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::Keep;
    use hyper::Request;
    use hyper::header::COOKIE;

    #[test]
    fn what_is_not_wanted_is_not_kept() {
        let request = Request::get("/x?a=b").header("Cookie", "c").header("X", "y").body(());
        let (head, ()) = request.unwrap().into_parts();
        assert_eq!(Keep::Nothing.of(&head), None);
        let named = Keep::Fields(vec![COOKIE]).of(&head).unwrap();
        assert_eq!((&*named.query, named.fields.len()), ("a=b", 1));
        let all = Keep::Everything.of(&head).unwrap();
        assert_eq!((all.field("COOKIE"), all.field("x")), (Some(&b"c"[..]), Some(&b"y"[..])));
    }
}
