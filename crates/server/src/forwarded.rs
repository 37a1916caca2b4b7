//! Whose request it is when proxies stand in front: `X-Forwarded-For`, believed only from those who
//! were named.
//!
//! Owns the list of proxies and the reading of the header field. Does not own what the address is
//! used for. RFC 7239 (`Forwarded`) is not read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::header::HeaderMap;

/// Every proxy appends the address of whoever asked it.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose word on the address of a client is taken. By default there are none, and a
/// client is whoever opened the TCP connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustedProxies(Box<[Network]>);

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Network {
    first: IpAddr,
    prefix_bits: u32,
}

impl TrustedProxies {
    /// Reads addresses and networks (`10.0.0.0/8`, `fd00::/8`) behind commas; an empty text is
    /// none.
    ///
    /// # Errors
    /// A sentence for each part that is neither.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut wrong = Vec::new();
        let mut networks = Vec::new();
        for part in text.split(',').map(str::trim) {
            match Network::parse(part) {
                Ok(network) => networks.push(network),
                Err(error) => wrong.push(error),
            }
        }
        if wrong.is_empty() { Ok(Self(networks.into())) } else { Err(wrong) }
    }

    /// The address of a client: the peer's, unless the peer is one of the proxies. Then it is the
    /// last address in `X-Forwarded-For` that is none of theirs, since everything before that may
    /// have been written by the client; the first one if all are theirs. A field in which anything
    /// that is looked at is no address says nothing: the client is the peer.
    #[must_use]
    pub fn client(&self, peer: IpAddr, fields: &HeaderMap) -> IpAddr {
        if !self.contains(peer) {
            return peer;
        }
        let mut client = peer;
        // Several fields are one list (RFC 9110 §5.3).
        for field in fields.get_all(X_FORWARDED_FOR).iter().rev() {
            for part in field.as_bytes().rsplit(|&byte| byte == b',') {
                let Some(address) = read(part) else { return peer };
                client = address;
                if !self.contains(address) {
                    return client;
                }
            }
        }
        client
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let no_address =
            || format!("\"{text}\" is neither an IP address nor a network such as 10.0.0.0/8");
        let first: IpAddr = address.parse().map_err(|_| no_address())?;
        let bits = width(first);
        let prefix_bits = match prefix {
            None => bits,
            Some(digits) => number(digits).filter(|it| *it <= bits).ok_or_else(no_address)?,
        };
        let network = Self { first, prefix_bits };
        if network.prefix_of(first) != network.key(first) {
            return Err(format!(
                "\"{text}\" has bits behind its prefix: a network ends with zeros"
            ));
        }
        Ok(network.canonical())
    }

    /// An IPv4 network that was written as one of IPv6 (`::ffff:10.0.0.0/104`) is one of IPv4.
    fn canonical(self) -> Self {
        let mapped_bits = 128 - 32;
        match self.first.to_canonical() {
            first if first != self.first && self.prefix_bits >= mapped_bits => {
                Self { first, prefix_bits: self.prefix_bits - mapped_bits }
            }
            _ => self,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        width(self.first) == width(address) && self.prefix_of(address) == self.key(self.first)
    }

    /// An address as a number, from the highest bit on.
    fn key(&self, address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << (128 - 32),
            IpAddr::V6(address) => address.to_bits(),
        }
    }

    /// The same, with zeros behind the prefix.
    fn prefix_of(&self, address: IpAddr) -> u128 {
        // A shift by the whole width is none.
        let mask = u128::MAX.checked_shl(128 - self.prefix_bits).unwrap_or(0);
        self.key(address) & mask
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

/// Digits alone: `parse` would take a sign.
fn number(digits: &str) -> Option<u32> {
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_digits)
}

/// An address of the list: bare, or as some proxies write it, with its port.
fn read(part: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(part).ok()?.trim_matches([' ', '\t']);
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let port_is_right = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            IpAddr::V6(address.parse().ok().filter(|_| port_is_right)?)
        }
        None => match text.split_once(':') {
            Some((address, port)) if is_port(port) => IpAddr::V4(address.parse().ok()?),
            _ => text.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

fn is_port(text: &str) -> bool {
    number(text).is_some_and(|it| u16::try_from(it).is_ok())
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderValue};

    use super::{TrustedProxies, X_FORWARDED_FOR};

    fn check(trusted: &str, peer: &str, fields: &[&[u8]], client: &str) {
        let trusted = TrustedProxies::parse(trusted).expect("a list");
        let mut headers = HeaderMap::new();
        for field in fields {
            let field = HeaderValue::from_bytes(field).expect("a value");
            headers.append(X_FORWARDED_FOR, field);
        }
        let found = trusted.client(peer.parse().expect("an address"), &headers);
        assert_eq!(found.to_string(), client, "{trusted:?} {peer} {fields:?}");
    }

    #[test]
    fn nobody_is_believed_unless_named() {
        check("", "127.0.0.1", &[b"8.8.8.8"], "127.0.0.1");
        check("10.0.0.1", "127.0.0.1", &[b"8.8.8.8"], "127.0.0.1");
        check("10.0.0.1", "10.0.0.11", &[b"8.8.8.8"], "10.0.0.11");
        check("::1", "127.0.0.1", &[b"8.8.8.8"], "127.0.0.1");
        // The bits of the one family are not the other's.
        check("7f00::/8", "127.0.0.1", &[b"8.8.8.8"], "127.0.0.1");
        check("127.0.0.0/8", "7f00::1", &[b"8.8.8.8"], "7f00::1");
    }

    #[test]
    fn a_proxy_is_believed() {
        for trusted in [
            "10.1.2.3",
            "10.0.0.0/8",
            "::ffff:10.0.0.0/104",
            "10.1.2.3/32",
            "1.1.1.1, 10.1.2.3 ,::1",
        ] {
            check(trusted, "10.1.2.3", &[b"8.8.8.8"], "8.8.8.8");
            check(trusted, "10.1.2.3", &[], "10.1.2.3");
        }
        // All of them are: the first is the farthest that is known.
        check("0.0.0.0/0", "10.1.2.3", &[b"8.8.8.8, 9.9.9.9"], "8.8.8.8");
        check("fd00::/8", "fd12::1", &[b"2001:db8::7"], "2001:db8::7");
        check("fd00::/8", "fd12::1", &[b"::ffff:8.8.8.8"], "8.8.8.8");
        check("::/0", "fd12::1", &[b"8.8.8.8"], "8.8.8.8");
        check("127.0.0.1", "127.0.0.1", &[b"8.8.8.8:1234"], "8.8.8.8");
        check("127.0.0.1", "127.0.0.1", &[b"[2001:db8::7]:1234"], "2001:db8::7");
        check("127.0.0.1", "127.0.0.1", &[b"[2001:db8::7]"], "2001:db8::7");
        check("127.0.0.1", "127.0.0.1", &[b"\t8.8.8.8 "], "8.8.8.8");
    }

    /// What the client wrote itself stands in front of what the first proxy added.
    #[test]
    fn what_a_client_wrote_is_not_looked_at() {
        let trusted = "10.0.0.0/8";
        check(trusted, "10.0.0.1", &[b"1.1.1.1, 8.8.8.8"], "8.8.8.8");
        check(trusted, "10.0.0.1", &[b"1.1.1.1", b"8.8.8.8"], "8.8.8.8");
        check(trusted, "10.0.0.1", &[b"1.1.1.1, 8.8.8.8, 10.0.0.2"], "8.8.8.8");
        check(trusted, "10.0.0.1", &[b"1.1.1.1, 8.8.8.8", b"10.0.0.2", b"10.0.0.3"], "8.8.8.8");
        // It claims to be a proxy of ours.
        check(trusted, "10.0.0.1", &[b"10.0.0.9, 8.8.8.8"], "8.8.8.8");
        check(trusted, "10.0.0.1", &[b"\xff\xfe, <script>, 8.8.8.8"], "8.8.8.8");
        // It is inside.
        check(trusted, "10.0.0.1", &[b"10.7.7.7, 10.0.0.2"], "10.7.7.7");
    }

    #[test]
    fn a_broken_field_says_nothing() {
        for field in [
            &b""[..],
            b",",
            b"unknown",
            b"_hidden",
            b"8.8.8.8,",
            b"8.8.8.8, ,10.0.0.2",
            b"8.8.8",
            b"8.8.8.8.8",
            b"08.8.8.8",
            b"8.8.8.8/32",
            b"8.8.8.8:",
            b"8.8.8.8:+1",
            b"8.8.8.8:65536",
            b"8.8.8.8:99999999999999999999",
            b"[8.8.8.8]:1",
            b"[2001:db8::7",
            b"[2001:db8::7]1",
            b"2001:db8::7]:1",
            b"fe80::1%eth0",
            b"\"8.8.8.8\"",
            b"for=8.8.8.8",
            b"\xc3\xb1",
            b"\xff",
            b"8.8.8.8 9.9.9.9",
        ] {
            check("10.0.0.0/8", "10.0.0.1", &[field], "10.0.0.1");
            check("10.0.0.0/8", "10.0.0.1", &[field, b"10.0.0.2"], "10.0.0.1");
        }
        let long = [b"10.0.0.2,".repeat(5_000), b"x".to_vec()].concat();
        check("10.0.0.0/8", "10.0.0.1", &[&long], "10.0.0.1");
    }

    #[test]
    fn a_list_is_read_or_refused() {
        for (text, wrong) in [
            (" ", vec![]),
            ("127.0.0.1,::1", vec![]),
            ("127.0.0.1,", vec!["\"\" is neither an IP address nor a network such as 10.0.0.0/8"]),
            (
                "localhost, 10.0.0.0/33,::/129",
                vec![
                    "\"localhost\" is neither an IP address nor a network such as 10.0.0.0/8",
                    "\"10.0.0.0/33\" is neither an IP address nor a network such as 10.0.0.0/8",
                    "\"::/129\" is neither an IP address nor a network such as 10.0.0.0/8",
                ],
            ),
            (
                "10.0.0.0/+8",
                vec!["\"10.0.0.0/+8\" is neither an IP address nor a network such as 10.0.0.0/8"],
            ),
            (
                "10.0.0.1/8",
                vec!["\"10.0.0.1/8\" has bits behind its prefix: a network ends with zeros"],
            ),
            (
                "fd00::1/64",
                vec!["\"fd00::1/64\" has bits behind its prefix: a network ends with zeros"],
            ),
        ] {
            let found = TrustedProxies::parse(text).err().unwrap_or_default();
            assert_eq!(found, wrong, "{text}");
        }
    }
}
