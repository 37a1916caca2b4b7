//! The application of one shard.

mod outcome;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use relay_hub::{
    Answer, Application, ConnectRefused, ConnectRequest, Context, Decision, Happening, Refusal,
    SessionEnd, SocketKey,
};
use relay_socketio::json::{self, Kind};
use relay_socketio::packet::{Args, EventName};

use crate::client::{Client, Command, Pending};
use crate::command::{argument, data};
use crate::denial::{Code, Denial, Reply};
use crate::fact::{Fact, Observer, Witness};
use crate::handshake::Handshake;
use crate::hooks::{
    Admission, Authorize, Disconnected, Hooks, Identify, Message, Thought, Verdict, Who,
};
use crate::later::{Background, Outcome, caught, or_panic};
use crate::message::Delivery;
use crate::metrics::GatewayStats;
use crate::questions::{Questions, Told};
use crate::rooms::{join, leave};
use crate::socket::Socket;
use crate::user;

use outcome::{Slot, identify, refuse, refuse_connect, resume, send, think};

/// The namespaces that Relay serves unless it is told otherwise.
pub const NAMESPACES: [&str; 2] = ["/", RELAY];
const RELAY: &str = "/relay";

/// What the shards of an instance have in common.
#[derive(Debug)]
pub struct Rules {
    /// The namespace in which events mean something. In all others they are ignored.
    pub namespace: Box<str>,
    /// What the program wants to be asked and told.
    pub hooks: Hooks,
    /// Futures of the program that one shard may have under way.
    pub thoughts_max: usize,
    /// What the program has asked clients and instances.
    pub questions: Questions,
}

impl Default for Rules {
    /// Relay without an embedding program.
    fn default() -> Self {
        Self {
            namespace: RELAY.into(),
            hooks: Hooks::new(),
            thoughts_max: 0,
            questions: Questions::default(),
        }
    }
}

/// Relay's rules on one shard.
pub struct Gateway {
    stats: Arc<GatewayStats>,
    witness: Witness,
    rules: Arc<Rules>,
    background: Option<Arc<dyn Background>>,
    /// Futures of the program under way.
    thoughts: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// How far an event has come.
enum Step {
    Done,
    /// The program thinks about it.
    Deferred,
}

impl Gateway {
    /// A gateway that counts in `stats`.
    #[must_use]
    pub fn new(stats: Arc<GatewayStats>) -> Self {
        Self {
            stats,
            witness: Witness::default(),
            rules: Arc::default(),
            background: None,
            thoughts: Arc::default(),
        }
    }

    /// The same, and `observer` is told what happens.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.witness = observer.into();
        self
    }

    /// The same with rules of a program, whose futures run in `background`.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<Rules>, background: Arc<dyn Background>) -> Self {
        self.rules = rules;
        self.background = Some(background);
        self
    }

    fn is_ours(&self, cx: &Context<'_, Client>, socket: SocketKey) -> bool {
        cx.namespace(socket) == &*self.rules.namespace
    }

    fn event(
        &mut self,
        cx: &mut Context<'_, Client>,
        socket: SocketKey,
        args: &Args<'_>,
        ack: Option<u64>,
    ) {
        let name = args.event_name();
        let event = ["relay", "notificar", "identificar", "unirse", "salir"]
            .into_iter()
            .find(|known| is_text(&name, known))
            .unwrap_or("");
        let reply = Reply { socket, event, ack };
        let outcome = match event {
            "relay" | "notificar" => self.message(cx, reply, args),
            "identificar" => self.identify(cx, reply, args),
            "unirse" => join(cx, socket, args).map(|()| Step::Done).map_err(Denial::from),
            "salir" => leave(cx, socket, args).map(|()| Step::Done).map_err(Denial::from),
            // An unknown event is ignored, unless somebody waits for an answer.
            _ if ack.is_none() => return,
            _ => Err(Code::BadData.into()),
        };
        match outcome {
            Ok(Step::Done) => reply.accept(cx),
            Ok(Step::Deferred) => {}
            Err(denial) => refuse(cx, &self.stats, &self.witness, reply, &denial),
        }
    }

    /// Sends a message where its data says.
    fn message(
        &mut self,
        cx: &mut Context<'_, Client>,
        reply: Reply,
        args: &Args<'_>,
    ) -> Result<Step, Denial> {
        let data = data(args, cx.limits())?;
        let delivery = Delivery::read(cx, args, reply.event, data)?;
        let hooks = &self.rules.hooks;
        let hook = if reply.event == "relay" { &hooks.message } else { &hooks.notify };
        if let Some(hook) = hook {
            let asked = Message {
                who: who(cx, reply.socket).ok_or(Code::BadData)?,
                data,
                destination: &delivery.destination,
                attachments: &delivery.attachments,
            };
            match hook(&asked) {
                Verdict::Allow(()) => {}
                Verdict::Refuse(denial) => return Err(denial),
                Verdict::Later(thought) => {
                    let command = Command::Message(delivery.keep());
                    return self.defer(cx, Pending { reply, command }, thought);
                }
            }
        }
        send(cx, &self.stats, &self.witness, reply, &delivery)?;
        Ok(Step::Done)
    }

    fn identify(
        &mut self,
        cx: &mut Context<'_, Client>,
        reply: Reply,
        args: &Args<'_>,
    ) -> Result<Step, Denial> {
        let claimed = argument(args).ok_or(Code::BadUser)?;
        if json::kind(claimed) == Kind::Null {
            return Err(Code::BadUser.into());
        }
        if claimed.len() > cx.limits().user_bytes_max {
            return Err(Code::TooLarge.into());
        }
        if let Some(hook) = &self.rules.hooks.identify {
            let who = who(cx, reply.socket).ok_or(Code::BadUser)?;
            match hook(&Identify { who, claimed }) {
                Verdict::Allow(()) => {}
                Verdict::Refuse(denial) => return Err(denial),
                Verdict::Later(thought) => {
                    let command = Command::Identify(claimed.into());
                    return self.defer(cx, Pending { reply, command }, thought);
                }
            }
        }
        identify(cx, &self.witness, reply.socket, claimed)?;
        Ok(Step::Done)
    }

    /// Lets the program think about an event.
    fn defer(
        &mut self,
        cx: &mut Context<'_, Client>,
        pending: Pending,
        thought: Thought<(), Denial>,
    ) -> Result<Step, Denial> {
        let socket = pending.reply.socket;
        let (background, slot) = self.slot().ok_or(Code::Unavailable)?;
        let ticket = cx.defer(socket, 0, pending.command.bytes()).ok_or(Code::Unavailable)?;
        if let Some(client) = cx.data_mut(socket) {
            client.set_pending(pending);
        }
        let (stats, witness) = (self.stats.clone(), self.witness.clone());
        think(&background, slot, ticket, async move {
            let decided = caught(thought).await;
            Outcome::Resumed(Box::new(move |cx| {
                let decided = or_panic(decided);
                resume(cx, &stats, &witness, socket, decided);
            }))
        });
        Ok(Step::Deferred)
    }

    /// A place for a future of the program.
    fn slot(&self) -> Option<(Arc<dyn Background>, Slot)> {
        let background = self.background.clone()?;
        self.thoughts.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(self.thoughts.clone());
        if self.thoughts.load(Ordering::Relaxed) > self.rules.thoughts_max {
            self.stats.thoughts_refused.add(1);
            return None;
        }
        Some((background, slot))
    }

    fn connected(&mut self, cx: &mut Context<'_, Client>, key: SocketKey) {
        self.stats.connections.add(1);
        if let Some(session) = cx.session(key) {
            self.witness.tell_of(cx, key, |socket, _| Some(Fact::Connected { socket, session }));
        }
        let Some(hook) = &self.rules.hooks.connection else { return };
        let auth = cx.data_mut(key).and_then(Client::take_auth);
        let Some(id) = cx.id(key) else { return };
        hook(&mut Socket { cx, key, id, auth });
        self.witness.identified(cx, key);
    }
}

impl Application for Gateway {
    type Data = Client;

    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Decision<Client> {
        if request.namespace != &*self.rules.namespace {
            return Decision::Admit(Client::default());
        }
        let hooks = &self.rules.hooks;
        let auth = hooks.connection.as_ref().and(request.auth).map(Box::from);
        let Some(hook) = &hooks.authorize else {
            return Decision::Admit(Client::new(auth, Admission::new()));
        };
        let address = request.handshake.address;
        let handshake = Cow::Borrowed(&request.handshake);
        let asked = Authorize { handshake: Handshake { handshake, auth: request.auth } };
        match hook(&asked) {
            Verdict::Allow(admission) => Decision::Admit(Client::new(auth, admission)),
            Verdict::Refuse(refusal) => {
                refuse_connect(&self.witness, address, &refusal);
                Decision::Refuse(refusal)
            }
            Verdict::Later(thought) => {
                let Some((background, slot)) = self.slot() else {
                    let refusal = Refusal::new("Server busy");
                    refuse_connect(&self.witness, address, &refusal);
                    return Decision::Refuse(refusal);
                };
                let witness = self.witness.clone();
                think(&background, slot, request.ticket, async move {
                    match caught(thought).await {
                        Ok(Ok(admission)) => Outcome::Decided(Ok(Client::new(auth, admission))),
                        Ok(Err(refusal)) => {
                            refuse_connect(&witness, address, &refusal);
                            Outcome::Decided(Err(refusal))
                        }
                        Err(_) => Outcome::Panicked,
                    }
                });
                Decision::Later
            }
        }
    }

    fn socket_data(&mut self, client: &Client) -> Option<String> {
        client.usuario.as_deref().map(user::told)
    }

    fn session_ended(&mut self, end: &SessionEnd) {
        if !end.joined {
            self.witness.tell(&Fact::NeverJoined(*end));
        }
    }

    fn connect_refused(&mut self, refused: &ConnectRefused) {
        let ConnectRefused { address, message } = *refused;
        self.witness.tell(&Fact::ConnectRefused { address, message });
    }

    fn handle(&mut self, cx: &mut Context<'_, Client>, happening: Happening<'_>) {
        match happening {
            Happening::Connected(socket) if self.is_ours(cx, socket) => self.connected(cx, socket),
            Happening::Event { socket, args, ack } if self.is_ours(cx, socket) => {
                self.event(cx, socket, &args, ack);
            }
            Happening::Acknowledged { token, answer: Answer::Broadcast(answers) } => {
                self.rules.questions.settle(token, Told::Answers(answers));
            }
            Happening::Fetched { token, sockets, complete } => {
                self.rules.questions.settle(token, Told::Sockets { sockets, complete });
            }
            Happening::Counted { token, sockets, complete } => {
                self.rules.questions.settle(token, Told::Count { sockets, complete });
            }
            Happening::Overdue { socket, .. } => {
                let pending = cx.data_mut(socket).and_then(Client::take_pending);
                if let Some(Pending { reply, .. }) = pending {
                    let (stats, witness) = (&self.stats, &self.witness);
                    refuse(cx, stats, witness, reply, &Code::Unavailable.into());
                }
            }
            Happening::Disconnected { socket, reason, session } if self.is_ours(cx, socket) => {
                self.stats.connections.sub(1);
                self.witness.tell_of(cx, socket, |socket, user| {
                    Some(Fact::Disconnected { socket, user, reason, session })
                });
                if let Some(hook) = &self.rules.hooks.disconnected
                    && let Some(who) = who(cx, socket)
                {
                    hook(&Disconnected { who, reason });
                }
            }
            // In all other namespaces everything is ignored.
            Happening::Connected(_)
            | Happening::Event { .. }
            | Happening::Disconnected { .. }
            | Happening::Acknowledged { .. }
            | Happening::ServerSideEvent { .. }
            | Happening::Message { .. } => {}
        }
    }
}

/// What hooks are told of a client.
fn who<'a>(cx: &'a Context<'_, Client>, socket: SocketKey) -> Option<Who<'a>> {
    let client = cx.data(socket)?;
    Some(Who {
        id: cx.id(socket)?,
        address: cx.handshake(socket).map(|it| it.address),
        usuario: client.usuario.as_deref(),
        state: client.state(),
    })
}

/// A number is no word, whatever its digits.
fn is_text(name: &EventName<'_>, word: &str) -> bool {
    matches!(name, EventName::Text(_)) && name.is(word)
}
