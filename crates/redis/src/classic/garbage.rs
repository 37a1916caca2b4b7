//! Why a message from Redis is none.

use std::fmt;

use relay_socketio::DecodeError;
use relay_socketio::msgpack::{MsgpackError, MsgpackErrorKind};

/// What is wrong with a message. Whoever published it is at fault, or speaks another dialect on
/// our channels; it is counted and forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Garbage {
    /// More bytes than [`super::DecodeLimits::message_bytes_max`].
    TooLarge,
    /// It is not of the form that the parser of the cluster writes: it begins otherwise, or ends
    /// too early or too late.
    Encoding,
    /// It nests deeper than what may go to clients.
    TooDeep,
    /// It has more binaries than clients accept.
    TooManyAttachments,
    /// It names more rooms than [`super::DecodeLimits::rooms_max`].
    TooManyRooms,
    /// An id is longer than [`super::ID_BYTES_MAX`].
    IdTooLong,
    /// A part is missing or of another type; the word says which.
    Shape(&'static str),
    /// A number that stands for no request.
    UnknownType,
}

impl Garbage {
    /// The label by which it is counted.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::TooDeep => "too_deep",
            Self::TooManyAttachments => "too_many_attachments",
            Self::TooManyRooms => "too_many_rooms",
            Self::IdTooLong => "id_too_long",
            Self::Shape(_) => "shape",
            Self::UnknownType => "unknown_type",
        }
    }
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(part) => write!(f, "no message of this dialect: {part}"),
            _ => f.write_str(self.label()),
        }
    }
}

impl std::error::Error for Garbage {}

impl From<MsgpackError> for Garbage {
    fn from(error: MsgpackError) -> Self {
        match error.what {
            MsgpackErrorKind::TooDeep => Self::TooDeep,
            MsgpackErrorKind::UnexpectedEnd
            | MsgpackErrorKind::UnusedByte
            | MsgpackErrorKind::KeyInvalid
            | MsgpackErrorKind::ExtensionUnknown
            | MsgpackErrorKind::TrailingBytes => Self::Encoding,
        }
    }
}

impl From<DecodeError> for Garbage {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::NotMsgpack(error) => error.into(),
            DecodeError::TooManyAttachments => Self::TooManyAttachments,
            _ => Self::Encoding,
        }
    }
}
