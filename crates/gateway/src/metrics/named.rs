//! The types of messages that an operator wants to see by their names, whatever clients send.
//!
//! Owns what such a name may be. Does not own the labels of all others.

use relay_hub::{METRIC_TYPE_NAMED_BYTES_MAX, METRIC_TYPES_NAMED_MAX};

use super::types::OTHER;

/// The values of the label `type` that always have a label of their own. By default there are none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NamedTypes(Box<[Box<str>]>);

impl NamedTypes {
    /// Takes names; one that is there twice counts once.
    ///
    /// # Errors
    /// A sentence for each name that cannot be one, and for too many.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let mut named: Vec<Box<str>> = Vec::new();
        for name in names {
            match check(name) {
                Ok(()) if named.iter().any(|it| **it == *name) => {}
                Ok(()) => named.push(name.into()),
                Err(error) => wrong.push(error),
            }
        }
        if named.len() > METRIC_TYPES_NAMED_MAX {
            let found = named.len();
            wrong.push(format!("{found} types: up to {METRIC_TYPES_NAMED_MAX} are accepted"));
        }
        if wrong.is_empty() { Ok(Self(named.into())) } else { Err(wrong) }
    }

    /// Reads names behind commas; an empty text is none.
    ///
    /// # Errors
    /// Those of [`NamedTypes::new`].
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        Self::new(text.split(',').map(str::trim))
    }

    /// The names, each once.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(|it| it.as_bytes())
    }
}

fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        Err("there is no type between two commas, or at an end".to_owned())
    } else if name == OTHER {
        Err(format!("\"{OTHER}\" is the label of all types that have none of their own"))
    } else if name.len() > METRIC_TYPE_NAMED_BYTES_MAX {
        let start: String = name.chars().take(16).collect();
        let max = METRIC_TYPE_NAMED_BYTES_MAX;
        Err(format!("\"{start}…\" has {} bytes: up to {max} are accepted", name.len()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::NamedTypes;

    fn check(text: &str, expect: Result<&[&str], &[&str]>) {
        let named = NamedTypes::parse(text);
        let named = named.as_ref().map(|it| it.names().map(String::from_utf8_lossy).collect());
        let named: Result<Vec<_>, _> = named;
        match (named, expect) {
            (Ok(named), Ok(expect)) => assert_eq!(named, expect, "{text}"),
            (Err(wrong), Err(expect)) => assert_eq!(wrong, expect, "{text}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn names_stand_behind_commas() {
        check("", Ok(&[]));
        check("  ", Ok(&[]));
        check("pedido", Ok(&["pedido"]));
        check(" pedido, a b ,ñ,webrtc:offer,pedido", Ok(&["pedido", "a b", "ñ", "webrtc:offer"]));
        check("sin-tipo", Ok(&["sin-tipo"]));
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let none = "there is no type between two commas, or at an end";
        check("a,,b,", Err(&[none, none]));
        let long = "x".repeat(1_001);
        check(
            &format!("otro,{long}"),
            Err(&[
                "\"otro\" is the label of all types that have none of their own",
                "\"xxxxxxxxxxxxxxxx…\" has 1001 bytes: up to 1000 are accepted",
            ]),
        );
        let many: Vec<_> = (0..1_001).map(|it| it.to_string()).collect();
        check(&many.join(","), Err(&["1001 types: up to 1000 are accepted"]));
        assert!(NamedTypes::parse(&many[1..].join(",")).is_ok());
    }
}
