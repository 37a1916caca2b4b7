//! The port of one shard: it queues, and returns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use relay_hub::{Asker, Cluster, Others, Publication, Question, Remote, Response, Serving};

use super::book::{Waiting, Wanted};
use super::outbound::Outbound;
use super::registry::Change;
use super::stats::count;
use super::{Shards, ShardsLater, Shared};

pub(super) struct ShardPort<S> {
    pub(super) shard: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) shards: ShardsLater<S>,
}

impl<S: Shards> ShardPort<S> {
    /// Asks how many will answer, and lets the shard know.
    fn count_others(&self, namespace: &str, request: u64) {
        let presence = self.shared.registry.presence(namespace);
        let is_counted = self.shared.registry.subject(&presence.channels.requests).is_some();
        let (shard, shards) = (self.shard, self.shards.clone());
        let answer = Box::new(move |subscribers: u64| {
            let others = subscribers.saturating_sub(u64::from(is_counted));
            let others = u32::try_from(others).unwrap_or(u32::MAX);
            let remote = Remote::Response { request, response: Response::Instances(others) };
            tokio::spawn(async move {
                if let Some(shards) = shards.get() {
                    shards.put(shard, remote).await;
                    shards.wake(shard);
                }
            });
        });
        // Dropped: the question ends with its time.
        let _ = self.shared.link.count_subscribers(&presence.channels.requests, answer);
    }
}

impl<S: Shards> Cluster for ShardPort<S> {
    fn publish(&mut self, namespace: &str, publication: &Publication) {
        let publication = publication.clone();
        // Dropped: it is counted there.
        let _ = self
            .shared
            .link
            .publish(Outbound::Publication { namespace: namespace.into(), publication });
    }

    fn ask(
        &mut self,
        namespace: &str,
        request: u64,
        question: &Question,
        timeout: Duration,
    ) -> Others {
        // No instance asks for rooms.
        if matches!(question, Question::Rooms) {
            return Others::Nobody;
        }
        if !self.shared.link.is_up() {
            return Others::Unreached;
        }
        let id = self.shared.registry.short_id();
        let waiting = Waiting { shard: self.shard, request };
        let wanted = match question {
            Question::Count(_) => Wanted::Count,
            Question::Sockets(_)
            | Question::Rooms
            | Question::ServerSideEvent(_)
            | Question::Broadcast(_) => Wanted::Contents,
        };
        if !self.shared.book.enter(id, (waiting, wanted), Instant::now(), timeout) {
            count(&self.shared.stats.questions_refused);
            return Others::Unreached;
        }
        let question = question.clone();
        let asked = Outbound::Question { namespace: namespace.into(), id, question, timeout };
        if self.shared.link.publish(asked).is_err() {
            self.shared.book.strike(waiting);
            return Others::Unreached;
        }
        self.count_others(namespace, request);
        Others::Awaited
    }

    fn done(&mut self, request: u64) {
        self.shared.book.strike(Waiting { shard: self.shard, request });
    }

    fn answer(&mut self, asker: &Asker, response: Response) {
        let _ = self.shared.link.publish(Outbound::Answer { asker: asker.clone(), response });
    }

    fn serve(&mut self, namespace: &str, serving: Serving) {
        let link = &self.shared.link;
        self.shared.registry.serve(namespace, serving, |change| match change {
            Change::Begun(topic) => link.serve(topic),
            Change::Ended(counted) => link.leave(&counted),
        });
    }
}
