//! Subscribing and leaving, one command after the other, while messages are read.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use redis::aio::PubSubSink;
use tokio::time::timeout;

use super::publisher::{Failure, failure};
use super::topics::{Step, TopicMap, steps};

type Work = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What is still to be done to the subscriptions of one connection.
pub(super) struct Steps {
    sink: PubSubSink,
    /// Time for one command.
    response_timeout: Duration,
    /// What will be listened to when all is done.
    is: TopicMap,
    waiting: VecDeque<Step>,
    work: Option<Work>,
}

impl Steps {
    /// The first step is to listen to `probe`.
    pub(super) fn new(sink: PubSubSink, probe: &str, response_timeout: Duration) -> Self {
        let waiting = VecDeque::from([Step::Subscribe(vec![probe.into()])]);
        Self { sink, response_timeout, is: TopicMap::new(), waiting, work: None }
    }

    /// Adds what it takes to listen to `wanted`, and to nothing else.
    pub(super) fn follow(&mut self, wanted: &TopicMap) {
        self.waiting.extend(steps(&self.is, wanted));
        self.is.clone_from(wanted);
    }

    pub(super) fn are_done(&self) -> bool {
        self.waiting.is_empty() && self.work.is_none()
    }

    /// Does the next step. Another call goes on with it, if this one is dropped.
    pub(super) async fn next(&mut self) -> Result<(), Failure> {
        if self.work.is_none()
            && let Some(step) = self.waiting.pop_front()
        {
            self.work = Some(Box::pin(work(self.sink.clone(), step, self.response_timeout)));
        }
        let Some(work) = &mut self.work else { return Ok(()) };
        let done = work.await;
        self.work = None;
        done
    }
}

async fn work(mut sink: PubSubSink, step: Step, response_timeout: Duration) -> Result<(), Failure> {
    let confirmed = async {
        match &step {
            Step::Subscribe(names) => sink.subscribe(refs(names)).await,
            Step::SubscribePatterns(names) => sink.psubscribe(refs(names)).await,
            Step::Unsubscribe(names) => sink.unsubscribe(refs(names)).await,
            Step::UnsubscribePatterns(names) => sink.punsubscribe(refs(names)).await,
        }
    };
    match timeout(response_timeout, confirmed).await {
        Ok(confirmed) => confirmed.map_err(failure),
        Err(_) => Err("Redis does not confirm a subscription".into()),
    }
}

fn refs(names: &[Box<str>]) -> Vec<&str> {
    names.iter().map(|it| &**it).collect()
}
