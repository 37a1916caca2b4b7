//! What clients may tell a peer to do, each with an acknowledgement:
//!
//! | event | arguments | acknowledged with |
//! |---|---|---|
//! | `join`, `leave` | rooms | nothing: this socket joins or leaves |
//! | `emit` | `{rooms, except, volatile}`, event… | nothing |
//! | `ask` | `{rooms, except, timeout}`, event… | answers, each as text and binaries; whether all came |
//! | `fetch` | `{rooms, except}` | sockets; whether all were told |
//! | `count` | `{rooms, except}` | how many sockets; whether all were told (Node cannot) |
//! | `bulk` | `{rooms, except, join or leave or disconnect}` | nothing |
//! | `side`, `side-ask` | event… | nothing, or answers and whether all came |
//!
//! Events of other servers reach all sockets of this one as `heard`; asked for an answer it gives
//! its name, and to `silent` nothing.

use std::collections::HashMap;
use std::time::Duration;

use relay_hub::{
    AckValue, Answer, Application, Args, Attachments, Audience, Broadcast, Bytes, ConnectRequest,
    Context, Decision, Happening, Packet, Room, SocketInfo, SocketKey,
};
use serde_json::{Value, json};

/// Where it all happens.
const NAMESPACE: &str = "/";
const TIMEOUT: Duration = Duration::from_secs(5);

/// One shard of the peer.
pub(crate) struct Peer {
    name: String,
    tokens: u64,
    /// Who waits for the outcome with that token.
    waiting: HashMap<u64, (SocketKey, u64)>,
}

impl Peer {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), tokens: 0, waiting: HashMap::new() }
    }

    fn wait(&mut self, socket: SocketKey, ack: Option<u64>) -> u64 {
        self.tokens += 1;
        if let Some(ack) = ack {
            self.waiting.insert(self.tokens, (socket, ack));
        }
        self.tokens
    }

    fn tell(&mut self, cx: &mut Context<'_, Value>, token: u64, outcome: &Value) {
        if let Some((socket, ack)) = self.waiting.remove(&token) {
            // A client that is gone needs no answer.
            let _ = cx.acknowledge(socket, ack, outcome.to_string().as_bytes(), &[]);
        }
    }

    fn event(
        &mut self,
        cx: &mut Context<'_, Value>,
        socket: SocketKey,
        args: &Args<'_>,
        ack: Option<u64>,
    ) {
        let name = args.event_name();
        let first: Value =
            args.elements().nth(1).and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
        // What fails is not answered: the test that waits says so.
        let done = if name.is("join") {
            rooms(&first).iter().all(|room| cx.join(socket, room).is_ok())
        } else if name.is("leave") {
            rooms(&first).iter().all(|room| cx.leave(socket, room))
        } else if name.is("emit") {
            cx.broadcast_to(NAMESPACE, broadcast(&first, args)).is_ok()
        } else if name.is("bulk") {
            bulk(cx, &first)
        } else if name.is("side") {
            cx.server_side_emit(NAMESPACE, &event_behind(args, 1)).is_ok()
        } else {
            let token = self.wait(socket, ack);
            let asked = if name.is("ask") {
                let timeout = first["timeout"].as_u64().map_or(TIMEOUT, Duration::from_millis);
                cx.broadcast_with_ack_to(NAMESPACE, broadcast(&first, args), timeout, token)
            } else if name.is("fetch") {
                cx.fetch_sockets(NAMESPACE, audience(&first), TIMEOUT, token)
            } else if name.is("count") {
                cx.count_sockets(NAMESPACE, audience(&first), TIMEOUT, token)
            } else {
                let event = event_behind(args, 1);
                cx.server_side_emit_with_ack(NAMESPACE, &event, TIMEOUT, token)
            };
            let _ = asked;
            return;
        };
        if let (true, Some(ack)) = (done, ack) {
            let _ = cx.acknowledge(socket, ack, b"[]", &[]);
        }
    }
}

impl Application for Peer {
    /// What the client said at the door.
    type Data = Value;

    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Decision<Value> {
        let auth = request.auth.and_then(|it| serde_json::from_str(it).ok());
        Decision::Admit(auth.unwrap_or_default())
    }

    fn socket_data(&mut self, data: &Value) -> Option<String> {
        Some(data.to_string())
    }

    fn handle(&mut self, cx: &mut Context<'_, Value>, happening: Happening<'_>) {
        match happening {
            Happening::Event { socket, args, ack } => self.event(cx, socket, &args, ack),
            Happening::Acknowledged { token, answer: Answer::Broadcast(answers) } => {
                let list: Vec<Value> = answers.answers.iter().map(answer).collect();
                self.tell(cx, token, &json!([list, answers.complete]));
            }
            Happening::Fetched { token, sockets, complete } => {
                let list: Vec<Value> = sockets.iter().map(fetched).collect();
                self.tell(cx, token, &json!([list, complete]));
            }
            Happening::Counted { token, sockets, complete } => {
                self.tell(cx, token, &json!([sockets, complete]));
            }
            Happening::ServerSideEvent { args, wants_answer, .. } => {
                let heard = format!("[\"heard\",{args}]");
                let packet = Packet::new(heard.as_bytes(), &[]);
                let broadcast =
                    Broadcast { local: true, ..Broadcast::new(packet, Audience::all()) };
                let _ = cx.broadcast_to(NAMESPACE, broadcast);
                if wants_answer && !args.starts_with("[\"silent\"") {
                    cx.answer_server_side(Value::from(self.name.as_str()).to_string().as_bytes());
                }
            }
            _ => {}
        }
    }
}

fn rooms(list: &Value) -> Vec<Room> {
    let room = |it: &Value| match it {
        Value::String(name) => Some(Room::text(name.as_bytes())),
        Value::Number(number) => number.as_f64().map(Room::number),
        _ => None,
    };
    list.as_array().into_iter().flatten().filter_map(room).collect()
}

fn audience(options: &Value) -> Audience {
    Audience { rooms: rooms(&options["rooms"]), except: rooms(&options["except"]) }
}

/// The event that stands behind the first `skipped` elements.
fn event_behind(args: &Args<'_>, skipped: usize) -> String {
    format!("[{}]", args.elements().skip(skipped).collect::<Vec<_>>().join(","))
}

fn broadcast(options: &Value, args: &Args<'_>) -> Broadcast {
    let attachments: &[Bytes] = match args.attachments() {
        Attachments::List(list) => list,
        Attachments::TooLarge { .. } => &[],
    };
    let packet = Packet::new(event_behind(args, 2).as_bytes(), attachments);
    let volatile = options["volatile"] == true;
    Broadcast { volatile, ..Broadcast::new(packet, audience(options)) }
}

fn bulk(cx: &mut Context<'_, Value>, options: &Value) -> bool {
    let audience = audience(options);
    if options["join"].is_array() {
        cx.sockets_join(NAMESPACE, audience, rooms(&options["join"])).is_ok()
    } else if options["leave"].is_array() {
        cx.sockets_leave(NAMESPACE, audience, rooms(&options["leave"])).is_ok()
    } else {
        cx.disconnect_sockets(NAMESPACE, audience, options["disconnect"] == true).is_ok()
    }
}

fn answer(value: &AckValue) -> Value {
    let hex = |it: &Bytes| it.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let binaries: Vec<String> = value.attachments.iter().map(hex).collect();
    json!({"text": String::from_utf8_lossy(&value.json), "binaries": binaries})
}

fn fetched(socket: &SocketInfo) -> Value {
    let room = |it: &Room| match it {
        Room::Text(name) => json!(String::from_utf8_lossy(name)),
        Room::Number(bits) => json!(f64::from_bits(*bits)),
        Room::Socket(id) => json!(id.to_string()),
    };
    let rooms: Vec<Value> = socket.rooms.iter().map(room).collect();
    let data: Value = serde_json::from_str(&socket.data).unwrap_or_default();
    let handshake: Value = serde_json::from_str(&socket.handshake).unwrap_or_default();
    json!({"id": *socket.id, "rooms": rooms, "data": data, "handshake": handshake.is_object()})
}
