//! An application that does what its clients tell it, and notes what the hub tells it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use relay_hub::{
    Answer, Answers, Application, Audience, Broadcast, ConnectRefused, ConnectRequest, Context,
    Decision, EmitError, EndReason, Happening, Packet, Refusal, Room, SocketId, SocketInfo,
    SocketKey, Ticket,
};
use relay_socketio::json;
use relay_socketio::{Args, Attachments};

use super::Published;

/// The outcome of an emit or a broadcast with acknowledgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Args(String),
    Timeout,
    Disconnected,
    Broadcast(Answers),
    /// Sockets by their ids, and whether these are all.
    Fetched(Vec<SocketInfo>, bool),
    /// How many sockets, and whether these are all.
    Counted(u64, bool),
    /// It was not sent.
    Refused(EmitError),
}

/// A step in the life of a socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Connected(SocketId),
    Joined(Room),
    Left(Room),
    Disconnected(EndReason),
}

/// What the application was told and did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fact {
    /// `at` is the place in the order where it was: how many broadcasts had been placed.
    Socket {
        client: usize,
        namespace: String,
        change: Change,
        at: usize,
    },
    Outcome {
        token: u64,
        outcome: Outcome,
    },
}

/// What all shards' applications were told, in order.
#[derive(Default, Debug)]
pub(crate) struct Facts {
    pub(crate) all: Vec<Fact>,
    /// Tokens given out.
    pub(crate) tokens: u64,
    /// Server-side events: the namespace, the arguments, whether an answer is wanted.
    pub(crate) server_side: Vec<(String, String, bool)>,
    /// What it was asked to decide on: the client, the namespace, the ticket.
    pub(crate) asked: Vec<(usize, String, Ticket)>,
    /// What clients were refused with that it was not asked about, or too late.
    pub(crate) refused: Vec<&'static str>,
}

pub(crate) type Log = Rc<RefCell<Facts>>;

impl Facts {
    /// The reasons for which sockets of a client ended.
    pub(crate) fn ends_of(&self, of: usize) -> Vec<EndReason> {
        let end = |fact: &Fact| match fact {
            Fact::Socket { client, change: Change::Disconnected(reason), .. } if *client == of => {
                Some(*reason)
            }
            _ => None,
        };
        self.all.iter().filter_map(end).collect()
    }

    /// Whether it was asked to let a client into a namespace.
    pub(crate) fn has_asked(&self, client: usize, namespace: &str) -> bool {
        self.asked.iter().any(|asked| asked.0 == client && asked.1 == namespace)
    }

    pub(crate) fn outcomes(&self) -> Vec<(u64, Outcome)> {
        let outcome = |fact: &Fact| match fact {
            Fact::Outcome { token, outcome } => Some((*token, outcome.clone())),
            _ => None,
        };
        self.all.iter().filter_map(outcome).collect()
    }

    /// Each socket that joined ended, once, and each acknowledgement has one outcome.
    pub(crate) fn check_ends(&self) {
        let mut open: BTreeMap<(usize, &str), u32> = BTreeMap::new();
        for fact in &self.all {
            let Fact::Socket { client, namespace, change, .. } = fact else { continue };
            let sockets = open.entry((*client, namespace)).or_default();
            match change {
                Change::Connected(_) => *sockets += 1,
                Change::Disconnected(_) if *sockets == 1 => *sockets -= 1,
                Change::Disconnected(_) => panic!("client {client} ends twice in {namespace}"),
                Change::Joined(_) | Change::Left(_) => {}
            }
            assert!(*sockets <= 1, "client {client} is twice in {namespace}");
        }
        open.retain(|_, sockets| *sockets > 0);
        assert!(open.is_empty(), "sockets whose end nobody heard of: {open:?}");
        let mut tokens: Vec<_> = self.outcomes().iter().map(|(token, _)| *token).collect();
        tokens.sort_unstable();
        assert_eq!(tokens, (0..self.tokens).collect::<Vec<_>>(), "each wish has one outcome");
    }
}

/// What is kept of a socket.
pub(crate) struct Data {
    client: usize,
    panics_at_end: bool,
}

impl Data {
    pub(super) fn of(client: usize) -> Self {
        Self { client, panics_at_end: false }
    }
}

pub(crate) struct TestApplication {
    log: Log,
    placed: Published,
    /// An answer with this token makes it panic.
    panics_at: Option<u64>,
}

impl TestApplication {
    pub(crate) fn new(log: Log, placed: Published) -> Self {
        Self { log, placed, panics_at: None }
    }

    fn changed(&self, cx: &Context<'_, Data>, socket: SocketKey, change: Change) {
        let client = cx.data(socket).expect("its data is there").client;
        let namespace = cx.namespace(socket).to_owned();
        let at = self.placed.borrow().len();
        self.note(Fact::Socket { client, namespace, change, at });
    }

    fn note(&self, fact: Fact) {
        self.log.borrow_mut().all.push(fact);
    }

    fn token(&self) -> u64 {
        let mut log = self.log.borrow_mut();
        log.tokens += 1;
        log.tokens - 1
    }

    /// A wish that was not carried out has its outcome at once.
    fn wished(&self, token: u64, result: Result<(), EmitError>) {
        if let Err(error) = result {
            self.note(Fact::Outcome { token, outcome: Outcome::Refused(error) });
        }
    }

    fn event(&mut self, cx: &mut Context<'_, Data>, socket: SocketKey, args: &Args<'_>) {
        let words: Vec<String> = args.elements().map(word).collect();
        let first = words.get(1).map_or("", String::as_str);
        let ms = Duration::from_millis(first.parse().unwrap_or(1_000));
        let Attachments::List(attachments) = args.attachments() else { return };
        let raw = args.raw().as_bytes();
        let to = |audience| Broadcast::new(Packet::new(raw, attachments), audience);
        let in_room = || Audience::rooms(vec![Room::text(first.as_bytes())]);
        match words[0].as_str() {
            "echo" => _ = cx.emit(socket, raw, attachments, false),
            "echo-volatile" => _ = cx.emit(socket, raw, attachments, true),
            "all" => _ = cx.broadcast(socket, to(Audience::all())),
            "local" => {
                _ = cx.broadcast(socket, Broadcast { local: true, ..to(Audience::all()) });
            }
            "volatile" => {
                _ = cx.broadcast(socket, Broadcast { volatile: true, ..to(Audience::all()) });
            }
            "others" => {
                let own = cx.id(socket).expect("a socket that speaks has an id");
                _ = cx.broadcast(socket, to(Audience::all().except(Room::Socket(own))));
            }
            "room" => _ = cx.broadcast(socket, to(in_room())),
            "rooms" => {
                let rooms = words[1..].iter().map(|name| Room::text(name.as_bytes())).collect();
                _ = cx.broadcast(socket, to(Audience::rooms(rooms)));
            }
            "except" => {
                let room = Room::text(first.as_bytes());
                _ = cx.broadcast(socket, to(Audience::all().except(room)));
            }
            "join" | "leave" => self.seat(cx, socket, words[0] == "join", first),
            "join-all" | "leave-all" | "disconnect-all" => {
                let third = words.get(2).map_or("", String::as_str);
                bulk(cx, socket, &words[0], first, third);
            }
            "farewell" => {
                _ = cx.broadcast(socket, to(Audience::all()));
                cx.disconnect(socket, first == "close");
            }
            "out" => cx.disconnect(socket, false),
            "shut" => cx.disconnect(socket, true),
            "ask" => {
                let token = self.token();
                self.wished(token, cx.emit_with_ack(socket, raw, attachments, ms, token));
            }
            "ask-all" | "ask-room" | "ask-others" => {
                self.ask_many(cx, socket, &words, ms, to(Audience::all()));
            }
            "fetch" | "count" => self.search(cx, socket, &words, ms),
            "panic" => panic!("as the client wished"),
            "panic-at-answer" => {
                let token = self.token();
                self.panics_at = Some(token);
                self.wished(token, cx.emit_with_ack(socket, raw, attachments, ms, token));
            }
            "panic-at-end" => {
                if let Some(data) = cx.data_mut(socket) {
                    data.panics_at_end = true;
                }
            }
            _ => {}
        }
    }
}

impl TestApplication {
    /// A broadcast with acknowledgement.
    fn ask_many(
        &self,
        cx: &mut Context<'_, Data>,
        socket: SocketKey,
        words: &[String],
        timeout: Duration,
        mut broadcast: Broadcast,
    ) {
        let own = cx.id(socket).expect("a socket that speaks has an id");
        broadcast.audience = match words[0].as_str() {
            "ask-all" => Audience::all(),
            "ask-room" => Audience::rooms(vec![Room::from(words.get(2).map_or("", |it| it))]),
            _ => Audience::all().except(Room::Socket(own)),
        };
        let token = self.token();
        self.wished(token, cx.broadcast_with_ack(socket, broadcast, timeout, token));
    }

    /// Asks who, or how many, are in a room, or in the whole namespace (`*`); but not in another room.
    fn search(&self, cx: &mut Context<'_, Data>, socket: SocketKey, words: &[String], t: Duration) {
        let room = |at: usize| words.get(at).filter(|it| *it != "*").map(|it| Room::from(&**it));
        let [rooms, except] = [2, 3].map(|at| room(at).into_iter().collect());
        let (audience, namespace) = (Audience { rooms, except }, cx.namespace(socket).to_owned());
        let token = self.token();
        let asked = match words[0].as_str() {
            "count" => cx.count_sockets(&namespace, audience, t, token),
            _ => cx.fetch_sockets(&namespace, audience, t, token),
        };
        self.wished(token, asked);
    }

    fn seat(&self, cx: &mut Context<'_, Data>, socket: SocketKey, joins: bool, room: &str) {
        let room = Room::text(room.as_bytes());
        if joins {
            if cx.join(socket, &room).is_ok() {
                self.changed(cx, socket, Change::Joined(room));
            }
        } else if cx.leave(socket, &room) {
            self.changed(cx, socket, Change::Left(room));
        }
    }
}

impl Application for TestApplication {
    type Data = Data;

    fn offers(&mut self, request: &ConnectRequest<'_>) -> bool {
        assert!(said(request, "panic-at-offer").is_none(), "as the client wished");
        request.namespace.starts_with("/dynamic")
    }

    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Decision<Data> {
        let client = said(request, "n")
            .map_or(usize::MAX, |value| value.parse().expect("a client's number"));
        let asked = (client, request.namespace.to_owned(), request.ticket);
        self.log.borrow_mut().asked.push(asked);
        assert!(said(request, "panic").is_none(), "as the client wished");
        if let Some(value) = said(request, "refuse") {
            let message = "not you".to_owned();
            return Decision::Refuse(Refusal { message, data: Some(value.to_owned()) });
        }
        match said(request, "later") {
            Some(_) => Decision::Later,
            None => Decision::Admit(Data::of(client)),
        }
    }

    fn socket_data(&mut self, data: &Data) -> Option<String> {
        Some(format!("{{\"client\":{}}}", data.client))
    }

    fn connect_refused(&mut self, refused: &ConnectRefused) {
        self.log.borrow_mut().refused.push(refused.message);
    }

    fn handle(&mut self, cx: &mut Context<'_, Data>, happening: Happening<'_>) {
        match happening {
            Happening::Connected(socket) => {
                let id = cx.id(socket).expect("a new socket has an id");
                self.changed(cx, socket, Change::Connected(id));
                let client = cx.data(socket).map(|data| data.client);
                assert!(client < Some(1_000_000), "as the client wished");
            }
            Happening::Event { socket, args, ack } => {
                self.event(cx, socket, &args);
                if let (Some(ack), Attachments::List(list)) = (ack, args.attachments()) {
                    _ = cx.acknowledge(socket, ack, args.raw().as_bytes(), list);
                }
            }
            Happening::Fetched { token, mut sockets, complete } => {
                sockets.sort_by(|one, other| one.id.cmp(&other.id));
                self.note(Fact::Outcome { token, outcome: Outcome::Fetched(sockets, complete) });
            }
            Happening::Counted { token, sockets, complete } => {
                self.note(Fact::Outcome { token, outcome: Outcome::Counted(sockets, complete) });
            }
            Happening::ServerSideEvent { namespace, args, wants_answer } => {
                let heard = (namespace.to_owned(), args.to_owned(), wants_answer);
                self.log.borrow_mut().server_side.push(heard);
                if args.starts_with("[\"question\"") {
                    cx.answer_server_side(args.as_bytes());
                }
            }
            Happening::Message { .. } | Happening::Overdue { .. } => {
                unreachable!("the test speaks Socket.IO and defers nothing")
            }
            Happening::Acknowledged { token, answer } => {
                let outcome = match answer {
                    Answer::Args(args) => Outcome::Args(args.raw().to_owned()),
                    Answer::Timeout => Outcome::Timeout,
                    Answer::Disconnected => Outcome::Disconnected,
                    Answer::Broadcast(answers) => Outcome::Broadcast(answers),
                };
                self.note(Fact::Outcome { token, outcome });
                assert_ne!(self.panics_at, Some(token), "as the client wished");
            }
            Happening::Disconnected { socket, reason, .. } => {
                assert_eq!(cx.rooms(socket).count(), 0, "it is in no room any more");
                let gone = cx.emit(socket, b"[\"gone\"]", &[] as &[Bytes], false);
                assert_eq!(gone, Err(EmitError::Gone), "nothing reaches it");
                self.changed(cx, socket, Change::Disconnected(reason));
                let panics = cx.data(socket).is_some_and(|data| data.panics_at_end);
                assert!(!panics, "as the client wished");
            }
        }
    }
}

/// A bulk operation on the sockets of a room, or on all of them (`*`).
fn bulk(cx: &mut Context<'_, Data>, socket: SocketKey, op: &str, of: &str, third: &str) {
    let audience = match of {
        "*" => Audience::all(),
        room => Audience::rooms(vec![Room::text(room.as_bytes())]),
    };
    let namespace = cx.namespace(socket).to_owned();
    let rooms = vec![Room::text(third.as_bytes())];
    _ = match op {
        "join-all" => cx.sockets_join(&namespace, audience, rooms),
        "leave-all" => cx.sockets_leave(&namespace, audience, rooms),
        _ => cx.disconnect_sockets(&namespace, audience, third == "close"),
    };
}

/// What a client that asks to join says under a key.
fn said<'a>(request: &ConnectRequest<'a>, wanted: &str) -> Option<&'a str> {
    let mut members = request.auth.map(json::members).into_iter().flatten();
    members.find(|(key, _)| json::string_is(key, wanted)).map(|(_, value)| value)
}

/// A string's contents, or the text of anything else.
fn word(raw: &str) -> String {
    match json::kind(raw) {
        json::Kind::String => String::from_utf8_lossy(&json::unescape(raw)).into_owned(),
        _ => raw.to_owned(),
    }
}
