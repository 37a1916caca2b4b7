//! A bare RFC 6455 echo of text and binary on any path, for WebSocket conformance tools. One thread
//! per connection: it is the codec that is shown here, not the server.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use relay_websocket::handshake::accept;
use relay_websocket::{Decoder, Event, Opcode, Role, write_close, write_frame};

use crate::Options;

const HEAD_BYTES_MAX: usize = 16 * 1024;
const READ_BYTES: usize = 64 * 1024;

pub(crate) fn serve(options: &Options) -> Result<(), String> {
    let listener = TcpListener::bind(options.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let max_payload = u32::try_from(options.max_payload_bytes).unwrap_or(u32::MAX);
        std::thread::spawn(move || {
            // A peer that goes away ends its own thread.
            let _ = connection(stream, max_payload);
        });
    }
    Ok(())
}

fn connection(mut stream: TcpStream, max_payload: u32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some((key, mut leftover)) = handshake(&mut stream)? else {
        return stream.write_all(
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        );
    };
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut decoder = Decoder::new(Role::Server, max_payload);
    let mut buffer = vec![0; READ_BYTES];
    let mut out = Vec::new();
    let mut open = echo(&mut decoder, &mut leftover, &mut out);
    loop {
        stream.write_all(&out)?;
        out.clear();
        if !open {
            return drain(stream);
        }
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        open = echo(&mut decoder, &mut buffer[..n], &mut out);
    }
}

/// Answers what `input` completes; `false` once the closing handshake is on its way.
fn echo(decoder: &mut Decoder, mut input: &mut [u8], out: &mut Vec<u8>) -> bool {
    loop {
        let step = match decoder.decode(input) {
            Ok(step) => step,
            Err(error) => {
                write_close(out, Some(error.close_code()), "");
                return false;
            }
        };
        match step.event {
            Some(Event::Text(text)) => write_frame(out, Opcode::Text, text.as_bytes()),
            Some(Event::Binary(data)) => write_frame(out, Opcode::Binary, data),
            Some(Event::Ping(data)) => write_frame(out, Opcode::Pong, data),
            Some(Event::Pong(_)) => {}
            Some(Event::Close(close)) => {
                write_close(out, close.map(|close| close.code), "");
                return false;
            }
            None => return true,
        }
        let consumed = step.consumed;
        input = &mut std::mem::take(&mut input)[consumed..];
    }
}

/// Ends the connection without losing the close frame to a reset: unread bytes are read first.
fn drain(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(2)))?;
    let mut rest = [0; 4096];
    while stream.read(&mut rest)? > 0 {}
    Ok(())
}

/// Reads the request's head. The accept key and what came behind the head, or `None` if it is no
/// WebSocket handshake.
fn handshake(stream: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    let end = loop {
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        let n = stream.read(&mut chunk)?;
        if n == 0 || head.len() > HEAD_BYTES_MAX {
            return Ok(None);
        }
        head.extend_from_slice(&chunk[..n]);
    };
    let leftover = head.split_off(end + 4);
    let text = String::from_utf8_lossy(&head);
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| accept(value.trim()))?
    });
    Ok(key.map(|key| (key, leftover)))
}
