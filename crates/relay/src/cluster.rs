//! The cluster of an instance: prepared before the server, joined after it, left when it is gone.
//!
//! The gateway does this by itself; a server of one's own ([`crate::server`]) gives the
//! [ports](Prepared::ports) to its [`Config`](crate::server::Config) and [joins](Prepared::join).

use std::io;
use std::time::Duration;

use relay_hub::{Audience, Cluster, Limits, Remote};
use relay_redis::classic::DecodeLimits;
use relay_redis::cluster::{Classic, ClusterSettings, Running, Shards, ShardsLater};
use relay_redis::link::{Address, LinkSettings, Turn};
use relay_server::{Remotes, Server};

use crate::settings::Redis;

/// What is published when the last client is gone has this long to leave.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The shards of a server, for the cluster.
#[derive(Clone, Debug)]
struct Inlet(Remotes);

impl Shards for Inlet {
    fn count(&self) -> usize {
        self.0.shards()
    }

    fn have(&self, namespace: &str, audience: &Audience) -> bool {
        self.0.have(namespace, audience)
    }

    async fn put(&self, shard: usize, remote: Remote) {
        self.0.put(shard, remote).await;
    }

    fn wake(&self, shard: usize) {
        self.0.wake(shard);
    }
}

/// A cluster that is not connected yet.
#[derive(Debug)]
pub struct Prepared {
    cluster: Classic,
    address: Address,
    later: ShardsLater<Inlet>,
    seed: u64,
}

/// A cluster that this instance is part of.
#[derive(Debug)]
pub struct Joined {
    cluster: Classic,
    running: Running,
}

impl Prepared {
    /// A cluster for a server with these limits.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn new(redis: Redis, limits: &Limits) -> io::Result<Self> {
        let (mut seed, mut attempts) = ([0; 32], [0; 8]);
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        getrandom::fill(&mut attempts).map_err(io::Error::other)?;
        let Redis { address, prefix, parser, permissions } = redis;
        let settings = ClusterSettings {
            prefix,
            parser,
            permissions,
            link: LinkSettings {
                batch_bytes_max: limits.cluster.batch_bytes_max,
                inbound_bytes_max: limits.cluster.read_bytes_max,
                message_bytes_max: limits.cluster.message_bytes_max,
                connect_timeout: limits.cluster.connect_timeout,
                response_timeout: limits.cluster.response_timeout,
                ping_interval: limits.cluster.ping_interval,
                retry_min: limits.cluster.retry_min,
                retry_max: limits.cluster.retry_max,
            },
            turn_interval: limits.cluster.batch_interval,
            queue_bytes_max: limits.cluster.queue_bytes_max,
            encoded_bytes_max: limits.encoded_bytes_max,
            decode: DecodeLimits {
                message_bytes_max: limits.cluster.message_bytes_max,
                depth_max: limits.json_depth_max,
                attachments_max: limits.attachments_max,
                rooms_max: limits.cluster.rooms_max,
                fetch_bytes_max: limits.fetch_bytes_max,
            },
            answer_timeout: limits.cluster.answer_timeout,
            questions_max: limits.cluster.questions_max,
        };
        let cluster = Classic::new(settings, seed);
        let seed = u64::from_be_bytes(attempts);
        Ok(Self { cluster, address, later: ShardsLater::default(), seed })
    }

    /// The ports of the shards, in their order.
    #[must_use]
    pub fn ports(&self, shards: usize) -> Vec<Box<dyn Cluster + Send>> {
        (0..shards).map(|shard| self.cluster.port(shard, &self.later)).collect()
    }

    /// Connects.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn join(self, server: &Server) -> io::Result<Joined> {
        self.join_telling(server, drop)
    }

    /// The same, and tells `take` when Redis goes and comes.
    pub(crate) fn join_telling(
        self,
        server: &Server,
        take: impl FnMut(Turn) + Send + 'static,
    ) -> io::Result<Joined> {
        let inlet = Inlet(server.remotes());
        let running = self.cluster.start(self.address, self.seed, inlet, &self.later, take)?;
        Ok(Joined { cluster: self.cluster, running })
    }
}

impl Joined {
    /// How it stands with it, and what came and went.
    #[must_use]
    pub fn classic(&self) -> &Classic {
        &self.cluster
    }

    /// Leaves it, when nothing more will be said.
    pub fn leave(self) {
        self.running.stop(STOP_TIMEOUT);
    }
}
