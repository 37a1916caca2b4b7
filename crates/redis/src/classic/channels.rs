//! The names of channels.
//!
//! A prefix separates deployments that share one Redis; every name holds it and a namespace.

use relay_hub::{Audience, Room};

use super::id::ShortId;
use super::rooms::room_text;

/// The prefix that the Node adapter and its emitter use unless told otherwise.
pub const DEFAULT_PREFIX: &str = "socket.io";

/// The channels of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Broadcasts to no room or to several; in front of `<room>#`, broadcasts to that room.
    pub broadcasts: Box<str>,
    /// All broadcasts of the namespace, as a pattern for PSUBSCRIBE.
    pub pattern: Box<str>,
    /// Requests. Node counts its peers by the subscribers of this channel.
    pub requests: Box<str>,
    /// Answers that everybody hears.
    pub responses: Box<str>,
    /// Answers to this instance alone.
    pub own_responses: Box<str>,
}

impl Channels {
    /// The channels of `namespace`, where this instance is `uid`.
    #[must_use]
    pub fn new(prefix: &str, namespace: &str, uid: &ShortId) -> Self {
        let uid = uid.as_str();
        let broadcasts = format!("{prefix}#{namespace}#");
        Self {
            pattern: format!("{}*", glob_escaped(&broadcasts)).into(),
            broadcasts: broadcasts.into(),
            requests: format!("{prefix}-request#{namespace}#").into(),
            responses: format!("{prefix}-response#{namespace}#").into(),
            own_responses: format!("{prefix}-response#{namespace}#{uid}#").into(),
        }
    }

    /// Where a broadcast to `audience` is published: a room's own channel if there is just one.
    #[must_use]
    pub fn of(&self, audience: &Audience) -> Vec<u8> {
        let mut channel = self.broadcasts.as_bytes().to_vec();
        if let [room] = audience.rooms.as_slice() {
            channel.extend_from_slice(&room_text(room));
            channel.push(b'#');
        }
        channel
    }

    /// The room whose own channel this is, as a string that may stand for a number too; `None` for
    /// the channel that every instance must listen to, and for what is no broadcast here.
    #[must_use]
    pub fn room_of<'a>(&self, channel: &'a [u8]) -> Option<&'a [u8]> {
        let room = channel.strip_prefix(self.broadcasts.as_bytes())?;
        room.strip_suffix(b"#")
    }

    /// Whether a broadcast on a room's own channel may concern somebody here: `holds` says whether
    /// a room has members. Numbers are tried too, and the room without a name is not tried, as in
    /// Node.
    pub fn concerns(&self, channel: &[u8], holds: impl Fn(&Room) -> bool) -> bool {
        let Some(name) = self.room_of(channel) else { return true };
        if name.is_empty() || holds(&Room::text(name)) {
            return true;
        }
        let number = std::str::from_utf8(name).ok().and_then(|text| text.parse::<f64>().ok());
        number.is_some_and(|number| holds(&Room::number(number)))
    }
}

/// `text` as a pattern that matches nothing else: Redis takes `*?[]\` and, behind a bracket, `^`
/// and `-` for more than themselves.
#[must_use]
pub fn glob_escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(namespace: &str) -> Channels {
        Channels::new(DEFAULT_PREFIX, namespace, &ShortId::new([0; 6]))
    }

    #[test]
    fn names_are_those_of_the_adapter() {
        let it = channels("/chat");
        assert_eq!(&*it.broadcasts, "socket.io#/chat#");
        assert_eq!(&*it.pattern, "socket.io#/chat#*");
        assert_eq!(&*it.requests, "socket.io-request#/chat#");
        assert_eq!(&*it.responses, "socket.io-response#/chat#");
        assert_eq!(&*it.own_responses, "socket.io-response#/chat#AAAAAA#");
    }

    #[test]
    fn one_room_has_its_own_channel() {
        let it = channels("/");
        for (rooms, expected) in [
            (vec![], "socket.io#/#"),
            (vec![Room::text(b"r1")], "socket.io#/#r1#"),
            (vec![Room::number(5.0)], "socket.io#/#5#"),
            (vec![Room::number(1e21)], "socket.io#/#1e+21#"),
            (vec![Room::text(b"\xed\xa0\x80")], "socket.io#/#\u{fffd}#"),
            (vec![Room::text(b"a"), Room::text(b"b")], "socket.io#/#"),
        ] {
            assert_eq!(it.of(&Audience::rooms(rooms)), expected.as_bytes());
        }
    }

    #[test]
    fn a_broadcast_to_a_room_concerns_those_who_hold_it() {
        let it = channels("/");
        let holds = |room: &Room| *room == Room::number(5.0) || *room == Room::text(b"a#b");
        for (channel, expected) in [
            ("socket.io#/#", true),
            ("socket.io#/#5#", true),
            ("socket.io#/#a#b#", true),
            ("socket.io#/#a#", false),
            ("socket.io#/##", true),
        ] {
            assert_eq!(it.concerns(channel.as_bytes(), holds), expected, "{channel}");
        }
    }

    #[test]
    fn characters_of_patterns_stand_for_themselves() {
        assert_eq!(glob_escaped(r"/a*b?[c]\d"), r"/a\*b\?\[c\]\\d");
        assert_eq!(&*channels("/a*").pattern, r"socket.io#/a\*#*");
        assert_eq!(&*channels("/a*").broadcasts, "socket.io#/a*#");
    }
}
