//! The other instances, through Redis, in the dialects that the Node adapters of Socket.IO speak.
//!
//! It is a crate of its own because it is an edge: nothing else in the workspace knows Redis, and
//! what arrives from there is as hostile as what arrives from clients. [`classic`] is the dialect
//! of `@socket.io/redis-adapter`, bytes in and bytes out; Node servers on the same Redis cannot
//! tell this instance from one of theirs. [`link`] is the two connections to Redis, [`cluster`] the
//! hub's port on top of both.
//!
//! It does not own: who gets a broadcast here, the order of the instance, the settings.

pub mod classic;
pub mod cluster;
pub mod link;

#[doc(hidden)]
pub mod fuzz;
