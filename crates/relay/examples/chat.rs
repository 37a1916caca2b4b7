//! A chat with rules of its own, on the Socket.IO server below Relay: names, rooms, who is there.
//!
//! `cargo run -p relay --example chat`; clients connect to `/` and send `enter` (name, room),
//! `say` (text) and get `entered`, `said` and `left`.

use relay::server::hub::{
    Application, Audience, Broadcast, ConnectRequest, Context, Decision, Happening, SocketKey,
};
use relay::server::{Config, Server, bind, instance};
use relay::{Event, Limits, Room};

/// One value per shard, used by its thread alone.
struct Chat;

/// What is kept of a client: name and room.
type Guest = Option<(String, Room)>;

/// Tells everybody in the room of a client.
fn tell(cx: &mut Context<'_, Guest>, socket: SocketKey, event: &str, text: &str) {
    let Some(Some((name, room))) = cx.data(socket).cloned() else { return };
    let event = Event::new(event).and_then(|it| it.arg(&name)?.arg(text));
    let Ok(event) = event else { return };
    let audience = Audience::rooms(vec![room]);
    // What is too large for everybody is lost.
    let _ = cx.broadcast(socket, Broadcast::new(event.into_packet(), audience));
}

impl Application for Chat {
    type Data = Guest;

    fn authorize(&mut self, _request: &ConnectRequest<'_>) -> Decision<Guest> {
        Decision::Admit(None)
    }

    fn handle(&mut self, cx: &mut Context<'_, Guest>, happening: Happening<'_>) {
        match happening {
            Happening::Event { socket, args, .. } if args.event_name().is("enter") => {
                let Ok((_, name, room)) =
                    serde_json::from_str::<(String, String, String)>(args.raw())
                else {
                    return;
                };
                let room = Room::from(room);
                if !room.is_reserved() && cx.join(socket, &room).is_ok() {
                    if let Some(guest) = cx.data_mut(socket) {
                        *guest = Some((name, room));
                    }
                    tell(cx, socket, "entered", "");
                }
            }
            Happening::Event { socket, args, .. } if args.event_name().is("say") => {
                if let Ok((_, text)) = serde_json::from_str::<(String, String)>(args.raw()) {
                    tell(cx, socket, "said", &text);
                }
            }
            Happening::Disconnected { socket, reason, .. } => {
                tell(cx, socket, "left", reason.end().reason);
            }
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let (limits, shards) = (Limits::default(), 2);
    let listeners = bind(None, port, shards, &limits)?;
    let config = Config::new("/socket.io/", instance(limits, &["/"], shards)?);
    let server = Server::start(config, listeners, |_shard, _handle| Chat)?;
    eprintln!("listening on {}", server.address());
    std::thread::park();
    Ok(())
}
