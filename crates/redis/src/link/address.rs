//! Where Redis is: a URL, taken apart.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};

/// An address of Redis, with what is said first on a connection.
#[derive(Clone)]
pub struct Address {
    pub(super) place: Place,
    pub(super) greeting: RedisConnectionInfo,
}

/// How it is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl fmt::Debug for Address {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// Why a text is no address of Redis. It does not repeat the text: there may be a password in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressInvalid(pub(super) &'static str);

impl fmt::Display for AddressInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for AddressInvalid {}

impl Address {
    /// Reads `redis://[user][:password@]host[:port][/database][?protocol=resp3]`, or
    /// `redis+unix:///path`.
    ///
    /// # Errors
    /// In words what is accepted.
    pub fn parse(url: &str) -> Result<Self, AddressInvalid> {
        const ACCEPTED: AddressInvalid =
            AddressInvalid("redis://[user][:password@]host[:port][/database]");
        if url.starts_with("rediss://") || url.starts_with("valkeys://") {
            return Err(AddressInvalid("a URL without TLS, which is not there yet"));
        }
        let info = url.into_connection_info().map_err(|_| ACCEPTED)?;
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Place::Tcp { host: host.clone(), port: *port },
            ConnectionAddr::Unix(path) => Place::Unix(path.clone()),
            _ => return Err(ACCEPTED),
        };
        Ok(Self { place, greeting: info.redis_settings().clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let tcp = |host: &str, port| Some(Place::Tcp { host: host.to_owned(), port });
        for (url, expected) in [
            ("redis://localhost", tcp("localhost", 6379)),
            ("redis://127.0.0.1:7000/3", tcp("127.0.0.1", 7000)),
            ("redis://ana:p%40ss@redis.example:1", tcp("redis.example", 1)),
            ("redis+unix:///run/redis.sock", Some(Place::Unix("/run/redis.sock".into()))),
            ("http://localhost", None),
            ("localhost:6379", None),
            ("redis://localhost/x", None),
            ("rediss://localhost", None),
        ] {
            assert_eq!(Address::parse(url).ok().map(|it| it.place), expected, "{url}");
        }
        let address = Address::parse("redis://ana:p%40ss@h:1/5").unwrap();
        assert_eq!(address.greeting.username(), Some("ana"));
        assert_eq!(address.greeting.password(), Some("p@ss"));
        assert_eq!(address.greeting.db(), 5);
        assert!(!format!("{address:?}").contains("p@ss"));
    }
}
