//! What other instances may ask this one to do.
//!
//! Whoever reaches the Redis can ask, so an operator may say no. A question that is not allowed is
//! answered as if there was nothing to say: a Node server that waits for all must not wait for this
//! one.

/// Something that other instances may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// To let sockets join rooms.
    Join,
    /// To let sockets leave rooms.
    Leave,
    /// To disconnect sockets.
    Disconnect,
    /// To tell which sockets and rooms there are.
    Fetch,
    /// To hand an event to the application.
    ServerSideEmit,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Join, Self::Leave, Self::Disconnect, Self::Fetch, Self::ServerSideEmit];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Disconnect => "disconnect",
            Self::Fetch => "fetch",
            Self::ServerSideEmit => "server_side_emit",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing but broadcasts.
    pub const NONE: Self = Self(0);
    /// Everything that Node servers ask of each other.
    pub const ALL: Self = Self(0b1_1111);

    /// The same and `permission`.
    #[must_use]
    pub fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    /// Whether `permission` is among them.
    #[must_use]
    pub fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_all_and_each_is_itself() {
        let all = Permission::ALL.into_iter().fold(Permissions::NONE, Permissions::with);
        assert_eq!(all, Permissions::ALL);
        for permission in Permission::ALL {
            let one = Permissions::NONE.with(permission);
            let among: Vec<_> = Permission::ALL.into_iter().filter(|it| one.has(*it)).collect();
            assert_eq!(among, [permission]);
        }
    }
}
