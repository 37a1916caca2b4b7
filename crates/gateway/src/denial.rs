//! Why an event of a client was refused, and how the client is told.

use std::borrow::Cow;

use bytes::Bytes;
use relay_hub::{Context, SocketKey};
use relay_socketio::json;

use crate::client::Client;

/// The code of a refusal: a word on the wire, and a metric label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Code {
    /// The event is unknown, or its data is missing or not allowed: the client's fault.
    BadData,
    /// What names the room is none, or reserved: the client's fault.
    BadRoom,
    /// Nobody can be that: the client's fault.
    BadUser,
    /// A message, a name or a user above our limit.
    TooLarge,
    /// More rooms or binaries than our limit.
    TooMany,
    /// The client does this too often.
    Limited,
    /// The client may not do this.
    Forbidden,
    /// It cannot be done now: too much is under way, or whoever must be asked does not answer.
    Unavailable,
}

impl Code {
    /// All codes, in the order of their metric.
    pub const ALL: [Self; 8] = [
        Self::BadData,
        Self::BadRoom,
        Self::BadUser,
        Self::TooLarge,
        Self::TooMany,
        Self::Limited,
        Self::Forbidden,
        Self::Unavailable,
    ];

    /// The word on the wire, also the metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::BadRoom => "bad_room",
            Self::BadUser => "bad_user",
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::Limited => "limited",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
        }
    }

    /// A sentence for whoever debugs the client.
    const fn message(self) -> &'static str {
        match self {
            Self::BadData => "the event is unknown, or its data is missing, null or not allowed",
            Self::BadRoom => {
                "a room is a string or a number, or an array of them, and not reserved"
            }
            Self::BadUser => "usuario is any JSON value but null",
            Self::TooLarge => "the message, the name or the user is too large",
            Self::TooMany => "too many rooms",
            Self::Limited => "too often",
            Self::Forbidden => "this is not allowed",
            Self::Unavailable => "this cannot be done now; try again later",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Code {}

/// A refusal of an event: what the client reads in its acknowledgement or in `relay:error`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: Cow<'static, str>,
}

impl Denial {
    /// A refusal with words of one's own.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<Code> for Denial {
    /// With the words that Relay has for it.
    fn from(code: Code) -> Self {
        Self::new(code, code.message())
    }
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Denial {}

/// The client's wish for an answer, and the event it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) socket: SocketKey,
    pub(crate) event: &'static str,
    pub(crate) ack: Option<u64>,
}

const NO_ATTACHMENTS: &[Bytes] = &[];

impl Reply {
    /// Tells the client that its event was accepted, if it wants to know.
    pub(crate) fn accept(self, cx: &mut Context<'_, Client>) {
        if let Some(ack) = self.ack {
            // The socket may have gone meanwhile: then nobody waits.
            let _ = cx.acknowledge(self.socket, ack, b"[true]", NO_ATTACHMENTS);
        }
    }

    /// Tells the client: by its acknowledgement if it wants one, else by the event `relay:error`.
    pub(crate) fn refuse(self, cx: &mut Context<'_, Client>, denial: &Denial) {
        let mut args = match self.ack {
            Some(_) => b"[false,{".to_vec(),
            None => format!(r#"["relay:error",{{"event":"{}","#, self.event).into_bytes(),
        };
        args.extend_from_slice(b"\"code\":\"");
        args.extend_from_slice(denial.code.as_str().as_bytes());
        args.extend_from_slice(b"\",\"message\":");
        json::write_string(&mut args, &denial.message);
        args.extend_from_slice(b"}]");
        let _ = match self.ack {
            Some(ack) => cx.acknowledge(self.socket, ack, &args, NO_ATTACHMENTS),
            None => cx.emit(self.socket, &args, NO_ATTACHMENTS, false),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_code_has_its_place() {
        for (place, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.index(), place);
        }
    }
}
