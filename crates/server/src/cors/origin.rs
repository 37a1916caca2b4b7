//! What an origin looks like (RFC 6454 §6.2, as browsers serialize it).
//!
//! Origins are compared byte by byte, so anything that no browser sends would silently match
//! nobody; it is refused here with the reason. Does not own which origins are allowed.

use std::net::Ipv6Addr;

use hyper::header::HeaderValue;

use super::CorsError;

/// The value that browsers send for this origin.
pub(super) fn parse(text: &str) -> Result<HeaderValue, CorsError> {
    let error = |wrong| CorsError::Origin { origin: text.to_owned(), wrong };
    check(text).map_err(error)?;
    HeaderValue::from_str(text).map_err(|_| error(SHAPE))
}

const SHAPE: &str = "scheme://host or scheme://host:port is accepted";

fn check(text: &str) -> Result<(), &'static str> {
    if text.contains('*') {
        return Err("* stands alone and for every origin, not for a part of one");
    }
    let Some((scheme, authority)) = text.split_once("://") else { return Err(SHAPE) };
    if authority.contains(['/', '?', '#', '\\']) {
        return Err("an origin ends with its host or port, without a slash and a path");
    }
    if !text.is_ascii() {
        return Err("browsers send host names in ASCII: write xn--…");
    }
    if text.contains(|c: char| c.is_ascii_uppercase()) {
        return Err("browsers send origins in small letters");
    }
    let scheme_valid = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c));
    if !scheme_valid {
        return Err(SHAPE);
    }
    let (host, port) = split_port(authority).ok_or(SHAPE)?;
    if !is_host(host) {
        return Err(SHAPE);
    }
    port.map_or(Ok(()), |port| check_port(scheme, port))
}

/// The host and the port, which stands behind the last colon outside of brackets.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let (host, rest) = authority.split_at(authority.find(']')? + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    Some(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c))
        }
    }
}

fn check_port(scheme: &str, port: &str) -> Result<(), &'static str> {
    let number: u16 = port.parse().map_err(|_| "the port is a number from 1 to 65535")?;
    if number == 0 || number.to_string() != port {
        return Err("the port is a number from 1 to 65535");
    }
    match (scheme, number) {
        ("http", 80) | ("https", 443) => Err("browsers leave out the port that the scheme implies"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[track_caller]
    fn check(origin: &str, wrong: Option<&str>) {
        match (parse(origin), wrong) {
            (Ok(value), None) => assert_eq!(value, origin),
            (Err(error), Some(wrong)) => {
                let message = error.to_string();
                assert!(
                    message.contains(wrong) && message.contains(&format!("{origin:?}")),
                    "{message}"
                );
            }
            (parsed, _) => panic!("{origin}: {parsed:?}"),
        }
    }

    #[test]
    fn what_browsers_send_is_accepted() {
        for origin in [
            "https://example.com",
            "http://example.com:8080",
            "http://localhost:3000",
            "http://127.0.0.1",
            "http://[::1]:3000",
            "https://[2001:db8::1]",
            "https://xn--bcher-kva.example",
            "https://example.com:80",
            "http://example.com:443",
            "http://some_host:65535",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
            "web+app://x",
        ] {
            check(origin, None);
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_the_reason() {
        for (origin, wrong) in [
            ("https://example.com/", "without a slash"),
            ("https://example.com/app", "without a slash"),
            ("https://example.com?x", "without a slash"),
            ("https://example.com#x", "without a slash"),
            ("https://example.com\\x", "slash"),
            ("https://Example.com", "small letters"),
            ("HTTPS://example.com", "small letters"),
            ("https://bücher.example", "xn--"),
            ("https://example.com:443", "implies"),
            ("http://example.com:80", "implies"),
            ("https://example.com:0", "1 to 65535"),
            ("https://example.com:65536", "1 to 65535"),
            ("https://example.com:080", "1 to 65535"),
            ("https://example.com:+81", "1 to 65535"),
            ("https://example.com:", "1 to 65535"),
            ("https://example.com:x", "1 to 65535"),
            ("https://example.com:1:2", "1 to 65535"),
            ("https://*.example.com", "stands alone"),
            ("*", "stands alone"),
            ("example.com", "scheme://host"),
            ("null", "scheme://host"),
            ("", "scheme://host"),
            ("://example.com", "scheme://host"),
            ("1http://example.com", "scheme://host"),
            ("ht tp://example.com", "scheme://host"),
            ("https://", "scheme://host"),
            ("https://:80", "scheme://host"),
            ("https://user@example.com", "scheme://host"),
            ("https://exa mple.com", "scheme://host"),
            ("https://[::1", "scheme://host"),
            ("https://[::1]x", "scheme://host"),
            ("https://[x]", "scheme://host"),
            ("https://[]", "scheme://host"),
        ] {
            check(origin, Some(wrong));
        }
    }
}
