//! The moments at which the embedding program is asked or told, and what it may answer.
//!
//! A hook runs on the shard of the client, at once and in order: it must not block. What takes
//! time is a future that the hook hands over; it runs elsewhere, and holds back what the same
//! client says next, nobody else. A panic, in a hook or in its future, ends that client's
//! connection alone.

use std::any::Any;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use relay_hub::{EndReason, Refusal, SocketId};
use serde::de::DeserializeOwned;

use crate::command::Destination;
use crate::denial::Denial;
use crate::handshake::Handshake;
use crate::socket::Socket;
use crate::user::User;

/// What the program keeps for a socket.
pub(crate) type State = Arc<dyn Any + Send + Sync>;

/// A decision that is made elsewhere.
pub type Thought<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// What a hook says.
#[must_use]
pub enum Verdict<T, E> {
    /// Go on.
    Allow(T),
    /// Do not.
    Refuse(E),
    /// This future will tell, within [`decision_timeout`](relay_hub::Limits).
    Later(Thought<T, E>),
}

impl<T, E> std::fmt::Debug for Verdict<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Allow(_) => "Allow",
            Self::Refuse(_) => "Refuse",
            Self::Later(_) => "Later",
        })
    }
}

impl<T, E> Verdict<T, E> {
    /// A future will tell. It runs where the program's futures run, not on a shard.
    pub fn later(thought: impl Future<Output = Result<T, E>> + Send + 'static) -> Self {
        Self::Later(Box::pin(thought))
    }
}

impl<T, E> From<Result<T, E>> for Verdict<T, E> {
    fn from(decided: Result<T, E>) -> Self {
        match decided {
            Ok(allowed) => Self::Allow(allowed),
            Err(refused) => Self::Refuse(refused),
        }
    }
}

impl<E> From<Result<(), E>> for Verdict<Admission, E> {
    fn from(decided: Result<(), E>) -> Self {
        decided.map(|()| Admission::new()).into()
    }
}

impl<E: 'static> From<Verdict<(), E>> for Verdict<Admission, E> {
    fn from(verdict: Verdict<(), E>) -> Self {
        match verdict {
            Verdict::Allow(()) => Self::Allow(Admission::new()),
            Verdict::Refuse(refused) => Self::Refuse(refused),
            Verdict::Later(thought) => {
                Self::later(async { thought.await.map(|()| Admission::new()) })
            }
        }
    }
}

/// A client may come in; perhaps with something that the program wants to know of it later.
#[derive(Clone, Default)]
pub struct Admission {
    pub(crate) state: Option<State>,
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("state", &self.state.is_some()).finish()
    }
}

impl Admission {
    /// It may come in.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// It may come in, and `state` is kept for as long as it stays, such as the claims of its
    /// token. Every later hook can read it.
    #[must_use]
    pub fn with(state: impl Any + Send + Sync) -> Self {
        Self { state: Some(Arc::new(state)) }
    }
}

/// A client that asks to come in, before it is answered.
#[derive(Debug)]
pub struct Authorize<'a> {
    pub(crate) handshake: Handshake<'a>,
}

impl<'a> Authorize<'a> {
    /// How it knocked: address, header fields, query, `auth`.
    #[must_use]
    pub fn handshake(&self) -> &Handshake<'a> {
        &self.handshake
    }
}

/// Whoever did something.
#[derive(Debug)]
pub(crate) struct Who<'a> {
    pub(crate) id: SocketId,
    pub(crate) address: Option<IpAddr>,
    pub(crate) usuario: Option<&'a str>,
    pub(crate) state: Option<&'a State>,
}

/// What all hooks that speak of one client can ask.
macro_rules! who {
    ($of:ident) => {
        impl $of<'_> {
            /// The client's socket.
            #[must_use]
            pub fn id(&self) -> SocketId {
                self.who.id
            }

            /// The peer's address; `None` once its connection is gone.
            #[must_use]
            pub fn address(&self) -> Option<IpAddr> {
                self.who.address
            }

            /// Who it said it is, so far. `None` before that, or if it is neither a string nor a
            /// number.
            #[must_use]
            pub fn user(&self) -> Option<User> {
                self.who.usuario.and_then(User::from_json)
            }

            /// What the program keeps for it, if it is of this type; see [`Admission::with`].
            #[must_use]
            pub fn state<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
                self.who.state.and_then(|state| state.clone().downcast().ok())
            }
        }
    };
}

/// A client that says who it is, before that counts.
#[derive(Debug)]
pub struct Identify<'a> {
    pub(crate) who: Who<'a>,
    pub(crate) claimed: &'a str,
}

who!(Identify);

impl Identify<'_> {
    /// Who it says it is: a JSON value that is not `null`.
    #[must_use]
    pub fn claimed_json(&self) -> &str {
        self.claimed
    }

    /// The same if it is a string or a number.
    #[must_use]
    pub fn claimed(&self) -> Option<User> {
        User::from_json(self.claimed)
    }
}

/// A message on its way, before it takes its place in the order.
#[derive(Debug)]
pub struct Message<'a> {
    pub(crate) who: Who<'a>,
    pub(crate) data: &'a str,
    pub(crate) destination: &'a Destination,
    pub(crate) attachments: &'a [Bytes],
}

who!(Message);

impl Message<'_> {
    /// The data as JSON text, as the client sent it.
    #[must_use]
    pub fn json(&self) -> &str {
        self.data
    }

    /// The same as a type of one's own.
    ///
    /// # Errors
    /// It is not of that shape: the client's fault.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data)
    }

    /// Where it goes.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        self.destination
    }

    /// The binaries that its placeholders name, in their order.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments
    }
}

/// A client that is gone.
#[derive(Debug)]
pub struct Disconnected<'a> {
    pub(crate) who: Who<'a>,
    pub(crate) reason: EndReason,
}

who!(Disconnected);

impl Disconnected<'_> {
    /// Why, in the words of Socket.IO.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason.end().reason
    }

    /// Why, exactly.
    #[must_use]
    pub fn end_reason(&self) -> EndReason {
        self.reason
    }
}

type AuthorizeHook = Box<dyn Fn(&Authorize<'_>) -> Verdict<Admission, Refusal> + Send + Sync>;
type IdentifyHook = Box<dyn Fn(&Identify<'_>) -> Verdict<(), Denial> + Send + Sync>;
type MessageHook = Box<dyn Fn(&Message<'_>) -> Verdict<(), Denial> + Send + Sync>;
type ConnectionHook = Box<dyn Fn(&mut Socket<'_, '_>) + Send + Sync>;
type DisconnectedHook = Box<dyn Fn(&Disconnected<'_>) + Send + Sync>;

/// What the program wants to be asked and told. A hook that is not set costs nothing.
#[derive(Default)]
pub struct Hooks {
    pub(crate) authorize: Option<AuthorizeHook>,
    pub(crate) connection: Option<ConnectionHook>,
    pub(crate) identify: Option<IdentifyHook>,
    pub(crate) message: Option<MessageHook>,
    pub(crate) notify: Option<MessageHook>,
    pub(crate) disconnected: Option<DisconnectedHook>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks")
            .field("authorize", &self.authorize.is_some())
            .field("connection", &self.connection.is_some())
            .field("identify", &self.identify.is_some())
            .field("message", &self.message.is_some())
            .field("notify", &self.notify.is_some())
            .field("disconnected", &self.disconnected.is_some())
            .finish()
    }
}

impl Hooks {
    /// No hooks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether one of them looks at how clients knocked.
    #[must_use]
    pub fn see_handshakes(&self) -> bool {
        self.authorize.is_some() || self.connection.is_some()
    }

    /// Asked before a client is told that it is in. A refusal reaches it as `connect_error`.
    #[must_use]
    pub fn authorize<V>(
        mut self,
        hook: impl Fn(&Authorize<'_>) -> V + Send + Sync + 'static,
    ) -> Self
    where
        V: Into<Verdict<Admission, Refusal>>,
    {
        self.authorize = Some(Box::new(move |asked| hook(asked).into()));
        self
    }

    /// Told after a client is in, before anything that it says.
    #[must_use]
    pub fn connection(
        mut self,
        hook: impl Fn(&mut Socket<'_, '_>) + Send + Sync + 'static,
    ) -> Self {
        self.connection = Some(Box::new(hook));
        self
    }

    /// Asked before a client counts as whom it says it is.
    #[must_use]
    pub fn identify<V>(mut self, hook: impl Fn(&Identify<'_>) -> V + Send + Sync + 'static) -> Self
    where
        V: Into<Verdict<(), Denial>>,
    {
        self.identify = Some(Box::new(move |asked| hook(asked).into()));
        self
    }

    /// Asked about every `relay`, before it goes anywhere.
    #[must_use]
    pub fn message<V>(mut self, hook: impl Fn(&Message<'_>) -> V + Send + Sync + 'static) -> Self
    where
        V: Into<Verdict<(), Denial>>,
    {
        self.message = Some(Box::new(move |asked| hook(asked).into()));
        self
    }

    /// Asked about every `notificar`, before it goes anywhere.
    #[must_use]
    pub fn notify<V>(mut self, hook: impl Fn(&Message<'_>) -> V + Send + Sync + 'static) -> Self
    where
        V: Into<Verdict<(), Denial>>,
    {
        self.notify = Some(Box::new(move |asked| hook(asked).into()));
        self
    }

    /// Told when a client that came in is gone.
    #[must_use]
    pub fn disconnected(
        mut self,
        hook: impl Fn(&Disconnected<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.disconnected = Some(Box::new(hook));
        self
    }
}
