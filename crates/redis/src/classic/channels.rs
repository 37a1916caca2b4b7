//! The names of channels.
//!
//! A prefix separates deployments that share one Redis; every name holds it and a namespace.

use relay_hub::Audience;

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
    /// In front of `<uid>#`, what instances of Relay count for the instance of that id. No server for
    /// Node listens to it.
    pub counts: Box<str>,
    /// The same for this instance.
    pub own_counts: Box<str>,
}

impl Channels {
    /// The channels of `namespace`, where this instance is `uid`.
    #[must_use]
    pub fn new(prefix: &str, namespace: &str, uid: &ShortId) -> Self {
        let broadcasts = format!("{prefix}#{namespace}#");
        let responses = format!("{prefix}-response#{namespace}#");
        let counts = format!("{prefix}-relay-count#{namespace}#");
        Self {
            pattern: format!("{}*", glob_escaped(&broadcasts)).into(),
            broadcasts: broadcasts.into(),
            requests: format!("{prefix}-request#{namespace}#").into(),
            own_responses: own(&responses, uid).into(),
            responses: responses.into(),
            own_counts: own(&counts, uid).into(),
            counts: counts.into(),
        }
    }

    /// Where counts for the instance that is `asker` are published.
    #[must_use]
    pub fn counts_for(&self, asker: &ShortId) -> String {
        own(&self.counts, asker)
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
}

/// The channel of one instance.
fn own(channel: &str, uid: &ShortId) -> String {
    format!("{channel}{}#", uid.as_str())
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
    use relay_hub::Room;

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
    fn counts_have_channels_of_their_own() {
        let it = channels("/chat");
        assert_eq!(&*it.own_counts, "socket.io-relay-count#/chat#AAAAAA#");
        assert_eq!(it.counts_for(&ShortId::new([1; 6])), "socket.io-relay-count#/chat#BBBBBB#");
        // No pattern for broadcasts catches them.
        assert!(!it.own_counts.starts_with(&*it.broadcasts));
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
    fn characters_of_patterns_stand_for_themselves() {
        assert_eq!(glob_escaped(r"/a*b?[c]\d"), r"/a\*b\?\[c\]\\d");
        assert_eq!(&*channels("/a*").pattern, r"socket.io#/a\*#*");
        assert_eq!(&*channels("/a*").broadcasts, "socket.io#/a*#");
    }
}
