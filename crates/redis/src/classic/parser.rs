//! The option `parser` of the Node adapter and the emitter: how the messages are encoded that are not
//! JSON in any case.
//!
//! Which those are: broadcasts, broadcasts whose receivers acknowledge (type 7), and what each of
//! those receivers says (type 9). All other requests and answers are JSON text whatever the parser.

use relay_socketio::msgpack::Library;

/// The parser of a cluster. All its instances have the same, or they do not understand each other.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Parser {
    /// notepack.io, which adapter and emitter use unless they are told otherwise.
    #[default]
    Notepack,
    /// `{encode: JSON.stringify, decode: JSON.parse}`. There are no binaries in it: a `Buffer` goes
    /// as `{"type":"Buffer","data":[…]}`, and arrives as that object.
    Json,
    /// msgpackr, its functions `pack` and `unpack` (also `encode` and `decode`), which do not use
    /// records.
    Msgpackr,
}

/// What a parser makes of a value.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Json,
    Msgpack(Library),
}

impl Parser {
    /// All of them, the default one first.
    pub const ALL: [Self; 3] = [Self::Notepack, Self::Json, Self::Msgpackr];

    /// The word for it in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notepack => "notepack",
            Self::Json => "json",
            Self::Msgpackr => "msgpackr",
        }
    }

    pub(super) fn form(self) -> Form {
        match self {
            Self::Notepack => Form::Msgpack(Library::Notepack),
            Self::Json => Form::Json,
            Self::Msgpackr => Form::Msgpack(Library::Msgpackr),
        }
    }
}
