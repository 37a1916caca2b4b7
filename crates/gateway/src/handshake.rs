//! What a client said as it connected, as hooks see it.

use std::borrow::Cow;
use std::net::IpAddr;

use relay_hub::Head;
use relay_socketio::json::{self, Kind};
use serde::de::DeserializeOwned;

/// How a client knocked. Holds secrets: nothing of it belongs into a log.
#[derive(Debug)]
pub struct Handshake<'a> {
    pub(crate) handshake: Cow<'a, relay_hub::Handshake>,
    pub(crate) auth: Option<&'a str>,
}

impl Handshake<'_> {
    /// The client's address; behind a proxy that is not named as trusted it is the proxy's.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.handshake.address
    }

    /// A header field of the request that the session began with, if it is text. Which fields are
    /// kept is the server's setting.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.head()?.field(name)?).ok()
    }

    /// A parameter of that request's query, decoded; the last one of this name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let pairs = self.head()?.query.split('&').rev();
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(its, _)| decoded(its) == name).map(|(_, value)| decoded(value))
    }

    /// What the client gave as `auth`: a JSON object, as sent. `None` if it gave nothing.
    #[must_use]
    pub fn auth_json(&self) -> Option<&str> {
        self.auth
    }

    /// The same as a type of one's own. Nothing counts as `{}`.
    ///
    /// # Errors
    /// It is not of that shape: the client's fault.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.auth.unwrap_or("{}"))
    }

    /// A member of `auth` that is a string, such as `token`.
    #[must_use]
    pub fn auth_text(&self, name: &str) -> Option<String> {
        let members = json::members(self.auth?);
        let found = members.filter(|(key, _)| json::string_is(key, name)).last();
        let (_, value) = found.filter(|(_, value)| json::kind(value) == Kind::String)?;
        String::from_utf8(json::unescape(value).into_owned()).ok()
    }

    fn head(&self) -> Option<&Head> {
        self.handshake.head.as_deref()
    }
}

/// A name or a value of a query: `+` is a space, `%` begins two digits of a byte. What is no such
/// thing stands for itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let escaped = match (first, behind) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match (escaped, first) {
            (Some((high, low)), _) => {
                bytes.push(high * 16 + low);
                rest = &behind[2..];
            }
            (None, b'+') => bytes.push(b' '),
            (None, other) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::Handshake;
    use relay_hub::{Field, Head};
    use std::borrow::Cow;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    fn handshake<'a>(query: &str, auth: Option<&'a str>) -> Handshake<'a> {
        let mut handshake = relay_hub::Handshake::new(Ipv4Addr::LOCALHOST.into());
        let fields = [("Cookie", &b"a=b"[..]), ("x", &[0xff])]
            .map(|(name, value)| Field { name: name.into(), value: value.into() });
        handshake.head = Some(Arc::new(Head { query: query.into(), fields: fields.into() }));
        Handshake { handshake: Cow::Owned(handshake), auth }
    }

    #[test]
    fn a_query_is_decoded() {
        let check = |query: &str, expect: Option<&str>| {
            assert_eq!(handshake(query, None).query("k"), expect.map(str::to_owned), "{query}");
        };
        check("EIO=4&k=v", Some("v"));
        check("k=a&k=b", Some("b"));
        check("%6b=a+b%20c%2", Some("a b c%2"));
        check("k=%C3%B1%zz", Some("ñ%zz"));
        check("k", Some(""));
        check("", None);
        check("kk=1", None);
    }

    #[test]
    fn headers_are_found_whatever_their_case() {
        let handshake = handshake("", None);
        assert_eq!(handshake.header("cookie"), Some("a=b"));
        assert_eq!(handshake.header("x"), None, "it is no text");
        assert_eq!(handshake.header("y"), None);
    }

    #[test]
    fn auth_is_json() {
        let token = |auth| handshake("", auth).auth_text("token");
        assert_eq!(token(Some(r#"{"token":"a","t\u006fken":"b"}"#)), Some("b".to_owned()));
        assert_eq!(token(Some(r#"{"token":5}"#)), None);
        assert_eq!(token(Some(r#"{"token":"\ud800"}"#)), None);
        assert_eq!(token(None), None);
        let whole = handshake("", Some(r#"{"a":[1]}"#)).auth::<serde_json::Value>();
        assert_eq!(whole.unwrap()["a"][0], 1);
        assert!(handshake("", None).auth::<serde_json::Value>().unwrap().is_object());
    }
}
