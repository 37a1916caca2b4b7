//! Where an answer goes: what the hub repeats of a question.

use relay_hub::Asker;

use crate::classic::{PeerRequestId, ShortId};

/// What is made of the hub's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// What it says.
    Plain,
    /// The ids of the sockets that it tells of.
    Ids,
    /// The rooms of the one socket that it tells of, if it is here.
    RoomsOf,
    /// That the one socket that it tells of is here, if it is.
    Confirm,
    /// A number, for this instance alone.
    Count(ShortId),
}

/// Who asked, where, and what the answer looks like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Return {
    pub(super) namespace: Box<str>,
    pub(super) id: PeerRequestId,
    pub(super) form: Form,
}

impl Return {
    /// As bytes for the hub.
    pub(super) fn asker(&self) -> Asker {
        let form = match self.form {
            Form::Plain => 0,
            Form::Ids => 1,
            Form::RoomsOf => 2,
            Form::Confirm => 3,
            Form::Count(_) => 4,
        };
        let mut bytes = vec![form, u8::from(self.id.is_version_5())];
        if let Form::Count(asker) = self.form {
            bytes.extend_from_slice(asker.as_bytes());
        }
        let length = u32::try_from(self.namespace.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(self.namespace.as_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        Asker(bytes.into())
    }

    /// What the hub repeated. `None` for what was never given to it.
    pub(super) fn of(asker: &Asker) -> Option<Self> {
        let [form, version_5, rest @ ..] = &*asker.0 else { return None };
        let (form, rest) = match form {
            0 => (Form::Plain, rest),
            1 => (Form::Ids, rest),
            2 => (Form::RoomsOf, rest),
            3 => (Form::Confirm, rest),
            4 => {
                let (asker, rest) = rest.split_first_chunk::<6>()?;
                (Form::Count(ShortId::parse(asker)?), rest)
            }
            _ => return None,
        };
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (namespace, id) = rest.split_at_checked(length)?;
        Some(Self {
            namespace: std::str::from_utf8(namespace).ok()?.into(),
            id: PeerRequestId::new(id, *version_5 == 1),
            form,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_survives_the_way_through_the_hub() {
        let count = Form::Count(ShortId::new([5; 6]));
        for form in [Form::Plain, Form::Ids, Form::RoomsOf, Form::Confirm, count] {
            for (namespace, id, version_5) in [("/", "abc", false), ("/é", "", true)] {
                let id = PeerRequestId::new(id.as_bytes(), version_5);
                let it = Return { namespace: namespace.into(), id, form };
                assert_eq!(Return::of(&it.asker()), Some(it));
            }
        }
        for bytes in
            [&b""[..], b"\0", b"\0\0\0\0\0", b"\0\0\0\0\0\x09x", b"\x09\0\0\0\0\0", b"\x04\0abcde"]
        {
            assert_eq!(Return::of(&Asker(bytes.to_vec().into())), None);
        }
    }
}
