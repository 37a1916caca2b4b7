//! The echo servers of the protocol suites: each is an [`Application`] of a few lines.

use relay_hub::{
    Application, Args, Attachments, Bytes, ConnectRequest, Context, Decision, Happening, Layer,
    Limits, SocketKey,
};
use relay_server::{Config, Cors, Server, bind, instance};

use crate::Options;

/// Says every message of a session back.
struct EngineEcho;

impl Application for EngineEcho {
    type Data = ();
    const LAYER: Layer = Layer::EngineIo;

    fn authorize(&mut self, _request: &ConnectRequest<'_>) -> Decision<()> {
        Decision::Admit(())
    }

    fn handle(&mut self, cx: &mut Context<'_, ()>, happening: Happening<'_>) {
        if let Happening::Message { connection, message } = happening {
            cx.send(connection, message);
        }
    }
}

/// Tells a socket what it said at the door, answers `message` with `message-back` and acknowledges
/// `message-with-ack`; in `/custom` only the first.
struct SocketEcho;

impl Application for SocketEcho {
    /// What the client said at the door.
    type Data = String;

    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Decision<String> {
        Decision::Admit(request.auth.unwrap_or("{}").to_owned())
    }

    fn handle(&mut self, cx: &mut Context<'_, String>, happening: Happening<'_>) {
        match happening {
            Happening::Connected(socket) => {
                let auth = cx.data(socket).cloned().unwrap_or_default();
                send(cx, socket, &format!("[\"auth\",{auth}]"), &[]);
            }
            Happening::Event { socket, args, ack } if cx.namespace(socket) == "/" => {
                let name = args.event_name();
                let rest = arguments(&args);
                if name.is("message") {
                    let comma = if rest.is_empty() { "" } else { "," };
                    let back = format!("[\"message-back\"{comma}{rest}]");
                    send(cx, socket, &back, attachments(&args));
                } else if name.is("message-with-ack")
                    && let Some(ack) = ack
                {
                    let answer = format!("[{rest}]");
                    // A client that is gone needs no answer.
                    let _ = cx.acknowledge(socket, ack, answer.as_bytes(), attachments(&args));
                }
            }
            _ => {}
        }
    }
}

/// What stands behind the event's name, as it was sent.
fn arguments<'a>(args: &Args<'a>) -> String {
    args.elements().skip(1).collect::<Vec<&'a str>>().join(",")
}

fn attachments<'a>(args: &Args<'a>) -> &'a [Bytes] {
    match args.attachments() {
        Attachments::List(list) => list,
        _ => &[],
    }
}

fn send(cx: &mut Context<'_, String>, socket: SocketKey, args: &str, attachments: &[Bytes]) {
    // A client that is gone needs no event.
    let _ = cx.emit(socket, args.as_bytes(), attachments, false);
}

pub(crate) fn engineio(options: &Options) -> Result<(), String> {
    serve(options, "/engine.io/", || EngineEcho)
}

pub(crate) fn socketio(options: &Options) -> Result<(), String> {
    serve(options, "/socket.io/", || SocketEcho)
}

fn serve<A>(options: &Options, path: &str, make: impl Fn() -> A) -> Result<(), String>
where
    A: Application + Send + 'static,
{
    let limits = Limits {
        ping_interval: options.ping_interval,
        ping_timeout: options.ping_timeout,
        connect_timeout: options.connect_timeout,
        payload_bytes_max: options.max_payload_bytes,
        message_bytes_max: options.max_payload_bytes.max(2_000_000),
        ..Limits::default()
    };
    limits.check()?;
    let credentials = options.cors_credentials.then_some("true");
    let methods = options.cors_methods.as_deref();
    let cors = Cors::from_settings(Some(&options.cors_origin), methods, credentials)
        .map_err(|errors| errors.join("; "))?;
    let (host, port) = (options.listen.ip(), options.listen.port());
    let listeners = bind(Some(host), port, options.shards, &limits).map_err(|it| it.to_string())?;
    let instance =
        instance(limits, &["/", "/custom"], options.shards).map_err(|error| error.to_string())?;
    let path = options.path.as_deref().unwrap_or(path);
    let config = Config { cors, ..Config::new(path, instance) };
    let _server = Server::start(config, listeners, |_, _| make()).map_err(|it| it.to_string())?;
    loop {
        std::thread::park();
    }
}
