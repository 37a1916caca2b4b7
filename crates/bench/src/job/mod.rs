//! The jobs that a thread's loop can be given.

pub(crate) mod dial;
pub(crate) mod rooms;
pub(crate) mod run;
pub(crate) mod storm;

/// Nobody is deaf outside a run.
pub(crate) static ALL_LISTEN: crate::load::Deaf =
    crate::load::Deaf { silent: 0..0, ponging: 0..0, pong_interval: std::time::Duration::ZERO };
