//! What is kept of a socket: who it said it is, and what only some of them have.

use crate::denial::Reply;
use crate::hooks::{Admission, State};
use crate::message::Delivery;

/// What is kept of a socket.
#[derive(Debug, Default)]
pub struct Client {
    /// Who it said it is: JSON text, as sent.
    pub(crate) usuario: Option<Box<str>>,
    /// Made when it is first needed.
    extra: Option<Box<Extra>>,
}

#[derive(Default)]
struct Extra {
    /// What it gave when it connected, until its hook has seen it.
    auth: Option<Box<str>>,
    state: Option<State>,
    pending: Option<Pending>,
}

impl std::fmt::Debug for Extra {
    // What is in there are secrets, and the program's own.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Extra")
    }
}

/// An event that the program thinks about.
pub(crate) struct Pending {
    pub(crate) reply: Reply,
    pub(crate) command: Command,
}

/// What such an event leads to, if it may.
pub(crate) enum Command {
    /// The client is this user.
    Identify(Box<str>),
    /// A message goes its way.
    Message(Delivery<'static>),
}

impl Command {
    /// Its weight in the memory budget.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Identify(usuario) => usuario.len(),
            Self::Message(delivery) => delivery.bytes(),
        }
    }
}

impl Client {
    /// A client that comes in; `auth` is for its hook.
    pub(crate) fn new(auth: Option<Box<str>>, admission: Admission) -> Self {
        let is_plain = auth.is_none() && admission.state.is_none();
        let extra = || Box::new(Extra { auth, state: admission.state, pending: None });
        Self { usuario: None, extra: (!is_plain).then(extra) }
    }

    pub(crate) fn take_auth(&mut self) -> Option<Box<str>> {
        self.extra.as_mut()?.auth.take()
    }

    pub(crate) fn state(&self) -> Option<&State> {
        self.extra.as_ref()?.state.as_ref()
    }

    pub(crate) fn set_state(&mut self, state: Option<State>) {
        self.extra.get_or_insert_default().state = state;
    }

    pub(crate) fn set_pending(&mut self, pending: Pending) {
        self.extra.get_or_insert_default().pending = Some(pending);
    }

    pub(crate) fn take_pending(&mut self) -> Option<Pending> {
        self.extra.as_mut()?.pending.take()
    }
}
