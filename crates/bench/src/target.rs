//! The server that is measured: its address, and the bytes that open a connection to it.

use crate::payload::namespace_prefix;
use crate::transport::{Plan, Transport};
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Where to connect and what to say first.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resolved address.
    pub address: SocketAddr,
    /// The addresses of further instances: clients take turns among all.
    pub peers: Vec<SocketAddr>,
    /// The local addresses that connections take turns to bind; empty leaves it to the kernel.
    pub sources: Vec<IpAddr>,
    /// The transport of most clients.
    pub transport: Transport,
    /// Which clients take another one.
    pub plan: Plan,
    /// The Engine.IO message that joins the namespace: `40/relay,`.
    pub join: String,
    /// `/relay,`, or nothing for the main namespace.
    pub prefix: String,
    /// Path and query up to the transport's name.
    resource: String,
    /// The header fields of an upgrade request up to the key's value.
    upgrade_fields: String,
    /// The header fields of a poll, but those of its body.
    poll_fields: String,
}

/// What a browser sends with every request. With the fields below, a handshake has a browser's
/// size (some 600 bytes) and costs the server what a browser's costs.
///
/// `Sec-WebSocket-Extensions` is left out, and polls accept no encoding but `identity`: a server
/// that took up an offer would measure its compression, and nothing here undoes it.
const BROWSER_FIELDS: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) \
    AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36\r\n\
    Accept-Language: es-ES,es;q=0.9,en-US;q=0.8,en;q=0.7\r\n\
    Cookie: session=f3a1c9d27b584e60a8d1e5f7029b6c4d; consent=necessary; theme=dark\r\n";

/// What it adds to an upgrade request besides the key.
const UPGRADE_FIELDS: &str = "Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n";

/// What it adds to the request of a script.
const POLL_FIELDS: &str = "Connection: keep-alive\r\n\
    Accept: */*\r\n\
    Accept-Encoding: identity\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: cors\r\n\
    Sec-Fetch-Dest: empty\r\n";

/// What [`Target::new`] makes a target of.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// `ws://host[:port]`.
    pub url: &'a str,
    /// Further instances, in the same form.
    pub peers: &'a [String],
    /// Path of the Engine.IO endpoint, with or without a query.
    pub path: &'a str,
    /// The namespace to join.
    pub namespace: &'a str,
    /// The JSON object that goes with the CONNECT packet, or empty.
    pub auth: &'a str,
    /// Fields that are added to each request, each as `Name: value`.
    pub headers: &'a [String],
    /// Loopback addresses to connect from.
    pub source_addresses: u8,
}

impl Target {
    /// Resolves the URL and prepares the opening bytes; all clients will use WebSocket.
    ///
    /// # Errors
    /// A sentence for the user when the URL is not understood, cannot be resolved, or cannot be
    /// reached from several source addresses, or when another option makes no sense.
    pub fn new(options: &Options<'_>) -> Result<Self, String> {
        let Options { path, namespace, auth, .. } = *options;
        let authority = authority(options.url)?;
        let address = resolve(authority)?;
        let peer = |url: &String| resolve(self::authority(url)?);
        let peers = options.peers.iter().map(peer).collect::<Result<_, _>>()?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut common =
            format!("Host: {authority}\r\nOrigin: http://{authority}\r\n{BROWSER_FIELDS}");
        for header in options.headers {
            if !header.contains(':') || header.contains(['\r', '\n']) {
                return Err(format!("{header:?} is not a header of the form \"Name: value\""));
            }
            let _ = write!(common, "{header}\r\n");
        }
        if !auth.is_empty() {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(auth)
                .map_err(|e| format!("the auth payload must be a JSON object: {e}"))?;
        }
        if !namespace.starts_with('/') || namespace.contains(',') {
            return Err(format!("{namespace:?} is not a namespace: it begins with / and has no ,"));
        }
        let prefix = namespace_prefix(namespace);
        Ok(Self {
            address,
            peers,
            sources: sources(address.ip(), options.source_addresses)?,
            transport: Transport::default(),
            plan: Plan::default(),
            join: format!("40{prefix}{auth}"),
            prefix,
            resource: format!("{path}{separator}EIO=4&transport="),
            upgrade_fields: format!("{common}{UPGRADE_FIELDS}Sec-WebSocket-Key: "),
            poll_fields: format!("{common}Referer: http://{authority}/\r\n{POLL_FIELDS}"),
        })
    }

    /// The transport of client `number`.
    #[must_use]
    pub fn transport(&self, number: usize) -> Transport {
        self.plan.transport(number, self.transport)
    }

    /// The whole upgrade request for a connection with this `Sec-WebSocket-Key`; `sid` is that of
    /// the session that is to be upgraded, or empty.
    #[must_use]
    pub fn upgrade(&self, key: &str, sid: &str) -> String {
        let Self { resource, upgrade_fields, .. } = self;
        let sid_field = if sid.is_empty() { "" } else { "&sid=" };
        format!("GET {resource}websocket{sid_field}{sid} HTTP/1.1\r\n{upgrade_fields}{key}\r\n\r\n")
    }

    /// Appends a GET that waits for the packets of a session, or opens one when `sid` is empty.
    /// `nonce` makes the URL differ from earlier ones, so that no cache answers.
    pub fn poll(&self, out: &mut Vec<u8>, sid: &str, nonce: u32) {
        self.poll_line(out, "GET", sid, nonce);
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the head of a POST with `body_bytes` of packets.
    pub fn post(&self, out: &mut Vec<u8>, sid: &str, nonce: u32, body_bytes: usize) {
        self.poll_line(out, "POST", sid, nonce);
        let content = "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ";
        // Writing to a vector cannot fail.
        let _ = io::Write::write_fmt(out, format_args!("{content}{body_bytes}\r\n\r\n"));
    }

    fn poll_line(&self, out: &mut Vec<u8>, method: &str, sid: &str, nonce: u32) {
        let resource = &self.resource;
        let line = format_args!("{method} {resource}polling&t={nonce:08x}");
        let _ = io::Write::write_fmt(out, line);
        if !sid.is_empty() {
            out.extend_from_slice(b"&sid=");
            out.extend_from_slice(sid.as_bytes());
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
        out.extend_from_slice(self.poll_fields.as_bytes());
    }

    /// The instance that client number `index` talks to.
    #[must_use]
    pub fn instance(&self, index: usize) -> SocketAddr {
        match index % (self.peers.len() + 1) {
            0 => self.address,
            peer => self.peers[peer - 1],
        }
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
        let options = Options { url, source_addresses: sources, ..OPTIONS };
        Target::new(&options)
    }

    const OPTIONS: Options<'static> = Options {
        url: "ws://127.0.0.1:5000",
        peers: &[],
        path: "/socket.io/",
        namespace: "/relay",
        auth: "",
        headers: &[],
        source_addresses: 0,
    };

    #[test]
    fn clients_take_turns_among_instances() {
        let peers = ["ws://127.0.0.1:5001".to_owned(), "ws://127.0.0.1:5002".to_owned()];
        let target = Target::new(&Options { peers: &peers, ..OPTIONS }).unwrap();
        let ports: Vec<_> = (0..4).map(|index| target.instance(index).port()).collect();
        assert_eq!(ports, [5000, 5001, 5002, 5000]);
        let peers = ["nonsense".to_owned()];
        assert!(Target::new(&Options { peers: &peers, ..OPTIONS }).is_err());
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
    fn requests_have_a_browsers_size() {
        let check = |request: &str, line: &str, end: &str| {
            assert!((500..750).contains(&request.len()), "{}: {request}", request.len());
            assert!(request.starts_with(line), "{request}");
            assert!(request.ends_with(end), "{request}");
            assert_eq!(request.matches("\r\n\r\n").count(), 1);
        };
        let target = Target::new(&OPTIONS).unwrap();
        let key = "AAAAAAAAAAAAAAAAAAAAAA==";
        let socket = "GET /socket.io/?EIO=4&transport=websocket";
        check(&target.upgrade(key, ""), &format!("{socket} HTTP/1.1\r\n"), "==\r\n\r\n");
        let line = format!("{socket}&sid=abc HTTP/1.1\r\n");
        check(&target.upgrade(key, "abc"), &line, "==\r\n\r\n");
        let polled = |make: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            make(&mut out);
            String::from_utf8(out).unwrap()
        };
        let line = "GET /socket.io/?EIO=4&transport=polling&t=0000000f HTTP/1.1\r\n";
        check(&polled(&|out| target.poll(out, "", 15)), line, "empty\r\n\r\n");
        let line = "POST /socket.io/?EIO=4&transport=polling&t=00000010&sid=abc HTTP/1.1\r\n";
        check(&polled(&|out| target.post(out, "abc", 16, 7)), line, "Length: 7\r\n\r\n");
    }

    #[test]
    fn options_are_checked() {
        let new = |namespace, auth, header: &str| {
            Target::new(&Options { namespace, auth, headers: &[header.to_owned()], ..OPTIONS })
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
