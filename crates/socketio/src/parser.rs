//! Which parser a connection speaks.
//!
//! Owns the choice, which is made once per connection. A Node server is built for one parser; on
//! the wire nothing announces it, but the first packet of a session, always a CONNECT, gives it
//! away. What the packets then mean is [`crate::decoder`]'s and [`crate::msgpack`]'s.

/// How the packets of a connection are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parser {
    /// A text per packet, attachments as binary messages behind it (socket.io-parser).
    Default,
    /// A binary message per packet (socket.io-msgpack-parser).
    Msgpack,
}

impl Parser {
    /// The parser of a session whose first message (Engine.IO packet of type `4`, or a binary
    /// one) has arrived: in the default parser a session cannot begin with an attachment, in the
    /// other no packet is a text.
    pub fn of_first_message(is_binary: bool) -> Self {
        if is_binary { Parser::Msgpack } else { Parser::Default }
    }
}
