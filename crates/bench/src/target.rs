//! The server that is measured: its address, and the bytes that open a connection to it.

use crate::payload::namespace_prefix;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Where to connect and what to say first.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resolved address.
    pub address: SocketAddr,
    /// The local addresses that connections take turns to bind; empty leaves it to the kernel.
    pub sources: Vec<IpAddr>,
    /// The upgrade request up to the key's value.
    request_before_key: String,
    /// The Engine.IO message that joins the namespace: `40/relay,`.
    pub join: String,
    /// `/relay,`, or nothing for the main namespace.
    pub prefix: String,
}

/// What a browser sends besides the key, so that a handshake has a browser's size (about 600
/// bytes) and costs the server what a browser's costs.
///
/// `Sec-WebSocket-Extensions` is left out: a server that took up the offer would measure its
/// compression, and the decoder here knows no extension.
const BROWSER_HEADERS: &str = "Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/138.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: es-ES,es;q=0.9,en-US;q=0.8,en;q=0.7\r\n\
    Cookie: session=f3a1c9d27b584e60a8d1e5f7029b6c4d; consent=necessary; theme=dark\r\n";

impl Target {
    /// Resolves `url` (`ws://host[:port]`) and prepares the opening bytes.
    ///
    /// `auth` is the JSON object that goes with the CONNECT packet, or empty. `headers` are added
    /// to each request, each as `Name: value`.
    ///
    /// # Errors
    /// A sentence for the user when the URL is not understood, cannot be resolved, or cannot be
    /// reached from several source addresses.
    pub fn new(
        url: &str,
        path: &str,
        namespace: &str,
        auth: &str,
        headers: &[String],
        source_addresses: u8,
    ) -> Result<Self, String> {
        let authority = authority(url)?;
        let address = resolve(authority)?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut request = format!(
            "GET {path}{separator}EIO=4&transport=websocket HTTP/1.1\r\nHost: {authority}\r\n\
             Origin: http://{authority}\r\n{BROWSER_HEADERS}"
        );
        for header in headers {
            if !header.contains(':') || header.contains(['\r', '\n']) {
                return Err(format!("{header:?} is not a header of the form \"Name: value\""));
            }
            let _ = write!(request, "{header}\r\n");
        }
        request.push_str("Sec-WebSocket-Key: ");
        if !auth.is_empty() {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(auth)
                .map_err(|e| format!("the auth payload must be a JSON object: {e}"))?;
        }
        if !namespace.starts_with('/') || namespace.contains(',') {
            return Err(format!("{namespace:?} is not a namespace: it begins with / and has no ,"));
        }
        let prefix = namespace_prefix(namespace);
        let join = format!("40{prefix}{auth}");
        let sources = sources(address.ip(), source_addresses)?;
        Ok(Self { address, sources, request_before_key: request, join, prefix })
    }

    /// The whole upgrade request for a connection with this `Sec-WebSocket-Key`.
    #[must_use]
    pub fn request(&self, key: &str) -> String {
        format!("{}{key}\r\n\r\n", self.request_before_key)
    }

    /// The local address that connection number `index` binds.
    #[must_use]
    pub fn source(&self, index: usize) -> Option<IpAddr> {
        if self.sources.is_empty() {
            return None;
        }
        self.sources.get(index % self.sources.len()).copied()
    }
}

fn authority(url: &str) -> Result<&str, String> {
    let rest = url.strip_prefix("ws://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(format!("{url:?} must begin with ws:// (TLS is not spoken here)"));
    };
    let authority = rest.trim_end_matches('/');
    if authority.is_empty() || authority.contains('/') {
        return Err(format!("{url:?} must be ws://host[:port]; the path has an option of its own"));
    }
    Ok(authority)
}

fn resolve(authority: &str) -> Result<SocketAddr, String> {
    // A port follows the last colon, unless that colon is part of an IPv6 literal.
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let mut addresses =
        with_port.to_socket_addrs().map_err(|e| format!("cannot resolve {authority:?}: {e}"))?;
    addresses.next().ok_or_else(|| format!("{authority:?} has no address"))
}

/// `count` loopback addresses. One has about 28,000 ports towards one server, and those of closed
/// connections stay taken for a minute.
fn sources(server: IpAddr, count: u8) -> Result<Vec<IpAddr>, String> {
    if count <= 1 {
        return Ok(Vec::new());
    }
    let is_local = matches!(server, IpAddr::V4(ip) if ip.is_loopback());
    if !is_local {
        return Err("several source addresses work towards 127.0.0.0/8 only".to_owned());
    }
    Ok((1..=count).map(|last| Ipv4Addr::new(127, 0, 0, last).into()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, sources: u8) -> Result<Target, String> {
        Target::new(url, "/socket.io/", "/relay", "", &[], sources)
    }

    #[test]
    fn urls() {
        let check = |url, expected: Option<&str>| {
            let address = target(url, 0).ok().map(|t| t.address.to_string());
            assert_eq!(address.as_deref(), expected, "{url}");
        };
        check("ws://127.0.0.1:5000", Some("127.0.0.1:5000"));
        check("http://127.0.0.1:5000/", Some("127.0.0.1:5000"));
        check("ws://127.0.0.1", Some("127.0.0.1:80"));
        check("ws://[::1]:5000", Some("[::1]:5000"));
        check("ws://[::1]", Some("[::1]:80"));
        check("ws://127.0.0.1:5000/x", None);
        check("wss://127.0.0.1", None);
        check("127.0.0.1:5000", None);
        check("ws://", None);
    }

    #[test]
    fn a_handshake_has_a_browsers_size() {
        let request = target("ws://127.0.0.1:5000", 0).unwrap().request("AAAAAAAAAAAAAAAAAAAAAA==");
        assert!((550..750).contains(&request.len()), "{}", request.len());
        assert!(request.starts_with("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"));
        assert!(request.ends_with("\r\n\r\n"));
        assert_eq!(request.matches("\r\n\r\n").count(), 1);
    }

    #[test]
    fn options_are_checked() {
        let new = |namespace, auth, header: &str| {
            Target::new("ws://127.0.0.1", "/", namespace, auth, &[header.to_owned()], 0)
        };
        assert_eq!(new("/", "{}", "A: b").unwrap().join, "40{}");
        assert_eq!(new("/x", r#"{"a":1}"#, "A: b").unwrap().join, r#"40/x,{"a":1}"#);
        assert!(new("x", "", "A: b").is_err());
        assert!(new("/", "[]", "A: b").is_err());
        assert!(new("/", "", "A b").is_err());
        assert!(new("/", "", "A: b\r\nC: d").is_err());
    }

    #[test]
    fn source_addresses() {
        let target = target("ws://127.0.0.1:1", 3).unwrap();
        let used: Vec<_> = (0..4).filter_map(|i| target.source(i)).map(|a| a.to_string()).collect();
        assert_eq!(used, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"]);
        assert!(sources("10.0.0.1".parse().unwrap(), 2).is_err());
        assert!(sources("10.0.0.1".parse().unwrap(), 1).unwrap().is_empty());
    }
}
