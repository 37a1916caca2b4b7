//! What the settings say about the cluster.

use std::io;
use std::path::Path;

use relay_redis::classic::{DEFAULT_PREFIX, Parser};
use relay_redis::cluster::{Permission, Permissions};
use relay_redis::link::{Address, AddressInvalid};

use super::Values;

/// Where the other instances are, and what they may do.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Where Redis is.
    pub address: Address,
    /// What the names of all channels begin with.
    pub prefix: String,
    /// How values are encoded: the option `parser` of the Node adapter, the same for all.
    pub parser: Parser,
    /// What other instances may ask this one to do.
    pub permissions: Permissions,
}

impl Redis {
    /// A cluster with what the Node adapter has by default: its prefix, its parser, and everything is allowed
    /// that Node servers ask of each other.
    ///
    /// # Errors
    /// In words what is accepted: `redis[s]://[user][:password@]host[:port][/database]`.
    pub fn at(url: &str) -> Result<Self, AddressInvalid> {
        let address = Address::parse(url)?;
        let (prefix, parser) = (DEFAULT_PREFIX.to_owned(), Parser::default());
        Ok(Self { address, prefix, parser, permissions: Permissions::ALL })
    }

    /// The cluster of settings that were found right; `None` if no address is set.
    pub(super) fn of(values: &Values, authorities: Option<&[u8]>) -> Option<Self> {
        let address = Address::parse(&values.redis_url).ok()?;
        let address = match authorities {
            Some(pem) => address.trusting(pem).ok()?,
            None => address,
        };
        let words = values.redis_peers_may.split(',').map(str::trim);
        let named = words.filter_map(|it| Permission::ALL.into_iter().find(|p| p.name() == it));
        let permissions = named.fold(Permissions::NONE, Permissions::with);
        let parser = Parser::ALL.get(values.redis_parser).copied().unwrap_or_default();
        Some(Self { address, prefix: values.redis_prefix.clone(), parser, permissions })
    }
}

/// The authorities that are trusted, if a file names them.
///
/// # Errors
/// What is accepted instead.
pub(super) fn authorities(
    values: &Values,
    read: &impl Fn(&Path) -> io::Result<Vec<u8>>,
) -> Result<Option<Vec<u8>>, String> {
    if values.redis_ca_file.is_empty() {
        return Ok(None);
    }
    let pem = read(Path::new(&values.redis_ca_file))
        .map_err(|error| format!("a file that can be read is accepted: {error}"))?;
    // Which address it is does not matter here.
    let trusted = Address::parse("redis://localhost").and_then(|it| it.trusting(&pem));
    trusted.map_err(|accepted| format!("{accepted} are accepted"))?;
    Ok(Some(pem))
}
