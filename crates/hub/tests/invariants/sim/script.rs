//! Scripts of a session that polls: what its client does, line by line, and what it must get.
//!
//! A line is something that happens:
//!
//! | line | what happens |
//! |---|---|
//! | `get` | a GET; requests have numbers, from 1 |
//! | `post BODY` | a POST |
//! | `begin`, `body N BODY`, `large N` | a POST whose body comes later, or is too large |
//! | `octets`, `put`, `eio3` | a POST of a wrong type, a wrong method, a GET of another revision |
//! | `abort N` | the request is taken back |
//! | `dial` | a WebSocket with the session's id |
//! | `ws TEXT`, `ws-binary TEXT`, `ws-ping TEXT`, `ws-close`, `ws-raw HEX` | what it says there |
//! | `ws-ends` | it hangs up there |
//! | `say ARGS` | another client sends this event |
//! | `stop` | the instance is stopped |
//! | `+MS` | time passes |
//!
//! or, behind `<`, something that has happened since:
//!
//! | line | what has happened |
//! |---|---|
//! | `< N 200 BODY`, `< N ok`, `< N 413`, `< N 400/3` | the answer to a request; the last with a code |
//! | `< N -` | the request waits |
//! | `< ws FRAME`, `< ws gone`, `< ws alive` | the next frame of the WebSocket; how it is |
//! | `< heard ARGS` | the next event that the other client heard |
//! | `< end LABEL` | the session's socket ended for this reason |
//! | `< alive`, `< gone` | whether the session is known |
//!
//! `␞` stands for the separator. A line that begins with `~` is not given time: what the next line
//! does may come before or after it at the server, or in one read. Whatever was answered or said
//! must be asked for.

use std::collections::BTreeSet;

use relay_hub::{Limits, Reply, Request};
use relay_websocket::Opcode;

use super::http::Input;
use super::{Style, World, seeds};

/// Plays a script with the usual bounds: the client is in `/` and has fetched the answer to that.
pub(crate) fn check(script: &str) {
    check_with(&Limits::default(), script);
}

/// The same with other bounds.
pub(crate) fn check_with(limits: &Limits, script: &str) {
    seeds(4, |seed| {
        let mut play = Play::new(World::sliced(limits.clone(), 1, seed));
        for (at, line) in script.lines().enumerate() {
            play.line(at + 1, line.trim());
        }
        play.finish();
    });
}

struct Play {
    world: World,
    id: usize,
    other: usize,
    /// Numbers of the client's requests.
    requests: Vec<u64>,
    /// Those whose answer was asked for.
    checked: BTreeSet<u64>,
    frames_checked: usize,
    heard_checked: usize,
    stopped: bool,
}

impl Play {
    fn new(mut world: World) -> Self {
        let other = world.join(0);
        let id = world.open_polling(0, Style::Scripted);
        let mut play = Self {
            world,
            id,
            other,
            requests: Vec::new(),
            checked: BTreeSet::new(),
            frames_checked: 0,
            heard_checked: 0,
            stopped: false,
        };
        play.request(Request::Post, Some(format!("40{{\"n\":{id}}}")));
        play.request(Request::Get, None);
        play.world.settle();
        for number in std::mem::take(&mut play.requests) {
            assert!(play.world.http.answers.remove(&number).is_some(), "it joined");
        }
        play
    }

    fn line(&mut self, at: usize, line: &str) {
        let (line, settles) = match line.strip_prefix('~') {
            Some(rest) => (rest, false),
            None => (line, true),
        };
        if let Some(expected) = line.strip_prefix("< ") {
            return self.expect(at, expected);
        }
        if !line.is_empty() {
            self.act(line);
        }
        if settles {
            self.world.settle();
        }
    }

    fn act(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let client = &mut self.world.clients[self.id];
        match word {
            "get" => self.request(Request::Get, None),
            "post" => self.request(Request::Post, Some(packets(rest))),
            "begin" => self.request(Request::Post, None),
            "octets" => self.request(Request::BinaryPost, None),
            "put" => self.request(Request::Other, None),
            "eio3" => self.request_of(Request::Get, false, None),
            "body" => {
                let (number, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let input =
                    Input::Body(self.id, self.number(number), Some(packets(body).into_bytes()));
                self.input(input);
            }
            "large" => self.input(Input::Body(self.id, self.number(rest), None)),
            "abort" => self.input(Input::Abort(self.id, self.number(rest))),
            "dial" => self.input(Input::Dial(self.id)),
            "ws" => client.send(Opcode::Text, rest.as_bytes()),
            "ws-binary" => client.send(Opcode::Binary, rest.as_bytes()),
            "ws-ping" => client.send(Opcode::Ping, rest.as_bytes()),
            "ws-close" => client.close(None),
            "ws-raw" => client.send_raw(&hex(rest)),
            "ws-ends" => client.link.hangs_up = true,
            "say" => self.world.clients[self.other].emit(rest),
            "stop" => {
                self.stopped = true;
                self.world.shut_down();
            }
            _ => {
                let ms = word.strip_prefix('+').and_then(|ms| ms.parse().ok());
                self.world.advance(ms.unwrap_or_else(|| panic!("what is {line:?}?")));
            }
        }
    }

    fn expect(&mut self, at: usize, expected: &str) {
        let (word, rest) = expected.split_once(' ').unwrap_or((expected, ""));
        let client = &self.world.clients[self.id];
        match word {
            "ws" if rest == "gone" || rest == "alive" => {
                assert_eq!(client.link.dropped, rest == "gone", "line {at}: {expected}");
            }
            "ws" => {
                let frame = client.frames.get(self.frames_checked).map(String::as_str);
                assert_eq!(frame, Some(rest), "line {at}");
                self.frames_checked += 1;
            }
            "heard" => {
                let heard = self.world.clients[self.other].heard();
                assert_eq!(heard.get(self.heard_checked), Some(&rest), "line {at}");
                self.heard_checked += 1;
            }
            "end" => {
                let ends = self.world.log.borrow().ends_of(self.id);
                let labels: Vec<_> = ends.iter().map(|reason| reason.end().label).collect();
                assert_eq!(labels, [rest], "line {at}");
            }
            "alive" | "gone" => {
                assert_eq!(client.dropped, word == "gone", "line {at}: {expected}");
            }
            number => {
                let number = self.number(number);
                self.checked.insert(number);
                let answer = self.world.http.answers.get(&number).map(written);
                assert_eq!(answer.as_deref().unwrap_or("-"), rest, "line {at}");
            }
        }
    }

    /// The number of the client's `nth` request.
    fn number(&self, nth: &str) -> u64 {
        let nth: usize = nth.parse().unwrap_or_else(|_| panic!("{nth:?} is no request"));
        self.requests[nth - 1]
    }

    fn request(&mut self, request: Request, body: Option<String>) {
        self.request_of(request, true, body);
    }

    fn request_of(&mut self, request: Request, eio_matches: bool, body: Option<String>) {
        let number = self.world.http.made;
        self.world.http.made += 1;
        self.requests.push(number);
        self.input(Input::Request(self.id, number, request, eio_matches));
        if let Some(body) = body {
            self.input(Input::Body(self.id, number, Some(body.into_bytes())));
        }
    }

    fn input(&mut self, input: Input) {
        self.world.shards[0].inputs.push_back(input);
    }

    /// Everything that the client got was asked for; then the session ends like any other.
    fn finish(mut self) {
        let made: BTreeSet<_> = self.world.http.answers.keys().copied().collect();
        let unchecked: Vec<_> = made.difference(&self.checked).collect();
        assert!(unchecked.is_empty(), "answers that nobody looked at: {unchecked:?}");
        let client = &self.world.clients[self.id];
        assert_eq!(client.frames[self.frames_checked..], [] as [String; 0], "frames");
        assert_eq!(self.world.clients[self.other].heard()[self.heard_checked..], [] as [&str; 0]);
        if !self.stopped {
            assert!(!self.world.clients[self.other].dropped, "others go on");
        }
        // It takes back what still waits, as a client that goes away does.
        for number in self.requests.clone() {
            self.input(Input::Abort(self.id, number));
        }
        self.world.clients[self.id].link.hangs_up = true;
        self.world.settle();
        let ended = self.world.log.borrow().ends_of(self.id);
        assert!(ended.len() <= 1, "{ended:?}");
        self.world.finish();
    }
}

fn packets(text: &str) -> String {
    text.replace('␞', "\u{1e}")
}

/// Pairs of hexadecimal digits.
fn hex(text: &str) -> Vec<u8> {
    let pairs = text.split_whitespace();
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

/// An answer as scripts write it.
fn written(reply: &Reply) -> String {
    match reply {
        Reply::Payload(body) => {
            let body = std::str::from_utf8(body).expect("text");
            format!("200 {}", body.replace('\u{1e}', "␞"))
        }
        Reply::Done => "ok".to_owned(),
        Reply::Refused(error) => format!("{}/{}", error.status(), error.code()),
        Reply::Bare(status) => status.to_string(),
    }
}
