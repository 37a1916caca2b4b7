//! The connection that publishes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::backoff::Backoff;
use super::caught::caught;
use super::connect::dial;
use super::queue::{Encoder, Entry, Message, OnSubscribers, Outgoing};
use super::settings::LinkSettings;
use super::stats::{LinkStats, count};
use super::{Phase, Shared};

/// How the publishing connection is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum PublisherState {
    Connecting,
    /// It takes messages; each connection has a number of its own.
    Connected(u64),
    Down(Arc<str>),
}

pub(super) struct Publisher<M, E> {
    pub(super) address: Arc<Address>,
    pub(super) settings: LinkSettings,
    pub(super) shared: Arc<Shared<M>>,
    pub(super) state: watch::Sender<PublisherState>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) encoder: E,
}

/// A connection and the task that moves its bytes.
struct Connection {
    commands: MultiplexedConnection,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Sends so many commands and waits for their answers.
    async fn exchange(
        &mut self,
        pipeline: &Pipeline,
        commands: usize,
        response_timeout: Duration,
    ) -> Result<Vec<Value>, Failure> {
        let sending = self.commands.send_packed_commands(pipeline, 0, commands);
        match timeout(response_timeout, sending).await {
            Ok(answers) => answers.map_err(failure),
            Err(_) => Err("Redis does not answer".into()),
        }
    }
}

/// Who waits for the answer to a command.
enum Awaited {
    Published { queued_at: Instant, bytes: usize },
    Probed,
    Counted(OnSubscribers),
}

/// Messages that were taken out of the queue and not confirmed yet. Whatever ends the connection
/// meanwhile, a panic too: they are lost.
struct UnderWay {
    stats: Arc<LinkStats>,
    messages: usize,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        count(&self.stats.dropped_lost, self.messages as u64);
    }
}

/// What ended a connection, in words.
pub(super) type Failure = Arc<str>;

pub(super) fn failure(error: impl std::fmt::Display) -> Failure {
    error.to_string().into()
}

impl<M: Message, E: Encoder<M>> Publisher<M, E> {
    /// Connects and publishes until the link closes.
    pub(super) async fn run(mut self, mut backoff: Backoff) {
        let mut connections = 0;
        while *self.phase.borrow() != Phase::Closing {
            let stats = self.shared.stats.clone();
            let failed = match caught(&stats, self.connect()).await {
                Ok(connection) => {
                    connections += 1;
                    let worked_since = Instant::now();
                    let served = self.serve_open(connection, connections).await;
                    if worked_since.elapsed() > self.settings.retry_max {
                        backoff.reset();
                    }
                    served
                }
                Err(failed) => Err(failed),
            };
            let Err(failed) = failed else { return };
            count(&self.shared.stats.failures, 1);
            self.state.send_replace(PublisherState::Down(failed));
            let pause = backoff.next(self.settings.retry_min, self.settings.retry_max);
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.phase.wait_for(|it| *it == Phase::Closing) => return,
            }
        }
    }

    async fn connect(&mut self) -> Result<Connection, Failure> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = async {
            let stream = dial(&self.address).await.map_err(failure)?;
            MultiplexedConnection::new_with_config(&self.address.greeting, stream, config)
                .await
                .map_err(failure)
        };
        let connected = tokio::select! {
            it = timeout(self.settings.connect_timeout, connecting) => it,
            _ = self.phase.wait_for(|it| *it == Phase::Closing) => return Err("closing".into()),
        };
        let (commands, driver) = connected.map_err(|_| failure("no answer while connecting"))??;
        count(&self.shared.stats.connections, 1);
        Ok(Connection { commands, driver: tokio::spawn(driver) })
    }

    /// Publishes on a connection until it fails, or until the link closes and all is published.
    async fn serve_open(&mut self, mut connection: Connection, number: u64) -> Result<(), Failure> {
        self.shared.queue.open();
        self.state.send_replace(PublisherState::Connected(number));
        let stats = self.shared.stats.clone();
        let served = caught(&stats, self.serve(&mut connection)).await;
        let forgotten = self.shared.queue.shut();
        count(&self.shared.stats.dropped_away, forgotten as u64);
        served
    }

    async fn serve(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let response_timeout = self.settings.response_timeout;
        loop {
            let batch = self.shared.queue.take(self.settings.batch_bytes_max);
            if !batch.is_empty() {
                self.send(connection, batch).await?;
                continue;
            }
            if *self.phase.borrow() == Phase::Closing {
                return Ok(());
            }
            tokio::select! {
                () = self.shared.queue.changed() => {}
                _ = self.phase.changed() => {}
                _ = &mut connection.driver => return Err("Redis closed the connection".into()),
                () = sleep(self.settings.ping_interval) => {
                    connection.exchange(redis::pipe().cmd("PING"), 1, response_timeout).await?;
                }
            }
        }
    }

    /// Sends entries in one pipeline, and lets those know who wait for its answers.
    async fn send(
        &mut self,
        connection: &mut Connection,
        batch: Vec<Entry<M>>,
    ) -> Result<(), Failure> {
        let mut pipeline = redis::pipe();
        let mut awaited = Vec::with_capacity(batch.len());
        let is_message = |it: &&Entry<M>| matches!(it.outgoing, Outgoing::Publish(_));
        let messages = batch.iter().filter(is_message).count();
        let mut under_way = UnderWay { stats: self.shared.stats.clone(), messages };
        for Entry { outgoing, queued_at } in batch {
            match outgoing {
                Outgoing::Publish(message) => {
                    let before = awaited.len();
                    self.encoder.encode(message, &mut |channel, payload| {
                        pipeline.add_command(publish(channel, payload));
                        awaited.push(Awaited::Published { queued_at, bytes: payload.len() });
                    });
                    under_way.messages -= usize::from(awaited.len() == before);
                }
                Outgoing::Probe { channel, payload } => {
                    pipeline.cmd("PUBLISH").arg(&*channel).arg(payload);
                    awaited.push(Awaited::Probed);
                }
                Outgoing::Subscribers { channel, answer } => {
                    pipeline.cmd("PUBSUB").arg("NUMSUB").arg(&*channel);
                    awaited.push(Awaited::Counted(answer));
                }
            }
        }
        if awaited.is_empty() {
            return Ok(());
        }
        let response_timeout = self.settings.response_timeout;
        let answers = connection.exchange(&pipeline, awaited.len(), response_timeout).await?;
        under_way.messages = 0;
        let (stats, now) = (&self.shared.stats, Instant::now());
        for (awaited, answer) in awaited.into_iter().zip(answers) {
            match (awaited, answer) {
                (Awaited::Published { .. }, Value::ServerError(_)) => {
                    count(&stats.dropped_refused, 1);
                }
                (Awaited::Published { queued_at, bytes }, _) => {
                    count(&stats.published, 1);
                    count(&stats.published_bytes, bytes as u64);
                    stats.latency.add(now.saturating_duration_since(queued_at));
                }
                (Awaited::Counted(answer), value) => {
                    if let Some(count) = number_of_subscribers(&value) {
                        answer(count);
                    }
                }
                (Awaited::Probed, _) => {}
            }
        }
        Ok(())
    }
}

fn publish(channel: &[u8], payload: &[u8]) -> Cmd {
    const NAME: &str = "PUBLISH";
    let mut command = Cmd::with_capacity(3, NAME.len() + channel.len() + payload.len());
    command.arg(NAME).arg(channel).arg(payload);
    command
}

/// The count in `[channel, count]`.
fn number_of_subscribers(value: &Value) -> Option<u64> {
    let pair = match value {
        Value::Array(pair) => pair.as_slice(),
        _ => return None,
    };
    match pair {
        [_, Value::Int(count)] => u64::try_from(*count).ok(),
        _ => None,
    }
}
