//! Where Redis is: a URL, taken apart.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use redis::{ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// An address of Redis, with what is said first on a connection.
#[derive(Clone)]
pub struct Address {
    pub(super) place: Place,
    pub(super) greeting: RedisConnectionInfo,
    /// With TLS: the name that the certificate must bear, and whom we trust.
    pub(super) tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
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
    /// Reads `redis://[user][:password@]host[:port][/database][?protocol=resp3]`, the same with
    /// `rediss://` for TLS, or `redis+unix:///path`. With TLS the certificate must come from an
    /// authority that the machine trusts, see also [`Self::trusting`].
    ///
    /// # Errors
    /// In words what is accepted.
    pub fn parse(url: &str) -> Result<Self, AddressInvalid> {
        const ACCEPTED: AddressInvalid =
            AddressInvalid("redis[s]://[user][:password@]host[:port][/database]");
        let (plain, is_tls) = match url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (url.to_owned(), false),
        };
        let info = plain.into_connection_info().map_err(|_| ACCEPTED)?;
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Place::Tcp { host: host.clone(), port: *port },
            ConnectionAddr::Unix(path) if !is_tls => Place::Unix(path.clone()),
            _ => return Err(ACCEPTED),
        };
        let tls = match &place {
            Place::Tcp { host, .. } if is_tls => {
                let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(bare).map_err(|_| ACCEPTED)?;
                let mut roots = RootCertStore::empty();
                // Those that cannot be read are not trusted.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                Some((name, config(roots)?))
            }
            Place::Tcp { .. } | Place::Unix(_) => None,
        };
        Ok(Self { place, greeting: info.redis_settings().clone(), tls })
    }

    /// The same, but with TLS these authorities alone are trusted: certificates in PEM.
    ///
    /// # Errors
    /// There is none, or something else.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, AddressInvalid> {
        const ACCEPTED: AddressInvalid = AddressInvalid("certificates in PEM");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|_| ACCEPTED)?).map_err(|_| ACCEPTED)?;
        }
        if roots.is_empty() {
            return Err(ACCEPTED);
        }
        if let Some((_, trusted)) = &mut self.tls {
            *trusted = config(roots)?;
        }
        Ok(self)
    }

    /// Whether it is reached by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, AddressInvalid> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| AddressInvalid("a TLS library with usual versions"))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
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
            ("rediss://localhost", tcp("localhost", 6379)),
            ("rediss+unix:///run/redis.sock", None),
        ] {
            assert_eq!(Address::parse(url).ok().map(|it| it.place), expected, "{url}");
        }
        let address = Address::parse("redis://ana:p%40ss@h:1/5").unwrap();
        assert_eq!(address.greeting.username(), Some("ana"));
        assert_eq!(address.greeting.password(), Some("p@ss"));
        assert_eq!(address.greeting.db(), 5);
        assert!(!format!("{address:?}").contains("p@ss") && !address.is_tls());
        assert!(Address::parse("rediss://[::1]:7").is_ok_and(|it| it.is_tls()));
        assert!(Address::parse("rediss://h").unwrap().trusting(b"no certificate").is_err());
    }
}
