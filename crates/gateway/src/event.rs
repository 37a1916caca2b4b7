//! Events as the program makes them: a name, arguments of any type that serde knows, binaries.

use bytes::Bytes;
use relay_hub::Packet;
use relay_socketio::json;
use relay_socketio::packet::RESERVED_EVENT_NAMES;
use serde::Serialize;

/// Why an event could not be made.
#[derive(Debug)]
pub enum EventError {
    /// Clients refuse this name, since it means something to their library.
    ReservedName,
    /// The value cannot be written as JSON.
    Json(serde_json::Error),
}

impl std::fmt::Display for EventError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ReservedName => f.write_str("the name of the event is reserved"),
            Self::Json(error) => write!(f, "the argument cannot be written as JSON: {error}"),
        }
    }
}

impl std::error::Error for EventError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ReservedName => None,
            Self::Json(error) => Some(error),
        }
    }
}

/// An event to be sent, with any number of arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "an event does nothing until it is sent"]
pub struct Event {
    /// A JSON array that is not closed.
    args: Vec<u8>,
    attachments: Vec<Bytes>,
}

impl Event {
    /// An event without arguments.
    ///
    /// # Errors
    /// [`EventError::ReservedName`]: `connect`, `disconnect` and the like.
    pub fn new(name: &str) -> Result<Self, EventError> {
        if RESERVED_EVENT_NAMES.contains(&name) {
            return Err(EventError::ReservedName);
        }
        let mut args = vec![b'['];
        json::write_string(&mut args, name);
        Ok(Self { args, attachments: Vec::new() })
    }

    /// The same with one more argument.
    ///
    /// # Errors
    /// [`EventError::Json`]: its `Serialize` failed, or a map has keys that are no strings.
    pub fn arg(mut self, value: &(impl Serialize + ?Sized)) -> Result<Self, EventError> {
        self.args.push(b',');
        serde_json::to_writer(&mut self.args, value).map_err(EventError::Json)?;
        Ok(self)
    }

    /// The same with one more argument: bytes, which arrive as a `Buffer` or an `ArrayBuffer`.
    /// Clients accept ten of them.
    pub fn binary(mut self, bytes: impl Into<Bytes>) -> Self {
        let number = self.attachments.len();
        let placeholder = format!(r#",{{"_placeholder":true,"num":{number}}}"#);
        self.args.extend_from_slice(placeholder.as_bytes());
        self.attachments.push(bytes.into());
        self
    }

    /// As the hub sends it.
    #[must_use]
    pub fn into_packet(mut self) -> Packet {
        self.args.push(b']');
        Packet { args: self.args.into(), attachments: self.attachments }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, EventError};

    #[test]
    fn arguments_stand_in_their_order() {
        let event = Event::new("a\"b").unwrap().arg("x").unwrap().binary(vec![1, 2]);
        let packet = event.arg(&[1, 2]).unwrap().binary(vec![3]).into_packet();
        let args =
            r#"["a\"b","x",{"_placeholder":true,"num":0},[1,2],{"_placeholder":true,"num":1}]"#;
        assert_eq!(packet.args, args.as_bytes());
        assert_eq!(packet.attachments, [&[1, 2][..], &[3]]);
    }

    #[test]
    fn what_no_client_would_take_is_refused() {
        assert!(matches!(Event::new("disconnect"), Err(EventError::ReservedName)));
        let keys = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(matches!(Event::new("a").unwrap().arg(&keys), Err(EventError::Json(_))));
    }
}
