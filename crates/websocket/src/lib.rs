//! A WebSocket codec (RFC 6455) kept away from its IO, so that it can be fuzzed alone and driven by
//! any reader: bytes in, events out; messages in, bytes out.
//!
//! The crate owns frames, messages and the digest of the opening handshake, for both ends of a
//! connection. It knows no runtime, clock or socket, parses no HTTP, and decides nothing: answering
//! a Ping, echoing a Close and ending the TCP connection are the caller's acts. Extensions are not
//! negotiated, so the RSV bits must be zero (§5.2).
//!
//! [`Decoder`] is made for one read buffer that is shared by many connections: it unmasks in place
//! and lends out what lies there whole, and keeps no heap for a connection between its messages.
//!
//! ```
//! use relay_websocket::{Decoder, Event, Role};
//!
//! let mut decoder = Decoder::new(Role::Server, 1_000_000);
//! let mut read = vec![0x81, 0x82, 0, 0, 0, 0, b'h', b'i', 0x89, 0x80, 0, 0, 0, 0];
//! let mut input = read.as_mut_slice();
//! let mut seen = 0;
//! loop {
//!     let step = decoder.decode(input).expect("both frames are well-formed");
//!     let consumed = step.consumed;
//!     match step.event {
//!         Some(Event::Text(text)) => assert_eq!(text, "hi"),
//!         Some(Event::Ping(payload)) => assert_eq!(payload, b""),
//!         Some(other) => panic!("not sent: {other:?}"),
//!         None => break,
//!     }
//!     seen += 1;
//!     input = &mut input[consumed..];
//! }
//! assert_eq!(seen, 2);
//! assert_eq!(decoder.buffered_bytes(), 0);
//! ```

mod decoder;
mod encode;
mod error;
mod event;
#[doc(hidden)]
pub mod fuzz;
pub mod handshake;
mod header;
mod mask;

pub use decoder::{Decoder, Step};
pub use encode::{header_len, write_close, write_frame, write_header, write_masked_frame};
pub use error::{Error, Fault};
pub use event::{CloseFrame, Event};
pub use header::{CONTROL_PAYLOAD_BYTES_MAX, Opcode};

/// The end of the connection at which a [`Decoder`] runs; it says which frames must be masked (§5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads what a client sends: every frame must be masked.
    Server,
    /// Reads what a server sends: no frame may be masked.
    Client,
}
