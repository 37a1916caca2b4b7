//! Kinds of settings: what text is accepted, where the value goes, how it is shown.
//!
//! Owns the reading of one value. Does not own who wrote it, nor what must hold between two.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Values;
use super::units;

/// What a setting holds.
pub(crate) enum Kind {
    /// A whole number.
    Count {
        /// Where it goes.
        place: Number,
        /// From, to.
        accepted: RangeInclusive<u64>,
    },
    /// A size in bytes.
    Bytes {
        /// Where it goes.
        place: Number,
        /// From, to.
        accepted: RangeInclusive<u64>,
    },
    /// A length of time.
    Time {
        /// Where it goes.
        place: Place<Duration>,
        /// From, to.
        accepted: RangeInclusive<Duration>,
    },
    /// `true` or `false`.
    Switch {
        /// Where it goes.
        place: Place<bool>,
    },
    /// Any text but none.
    Text {
        /// Where it goes.
        place: Place<String>,
        /// What it is: "a name".
        what: &'static str,
        /// What is wrong with it, a sentence each.
        wrong: fn(&str) -> Vec<String>,
    },
    /// Several texts behind commas; in the file a list of them too.
    List {
        /// Where they go, as one text.
        place: Place<String>,
        /// What they are: "origins such as …".
        what: &'static str,
        /// What is wrong with them, a sentence each.
        wrong: fn(&str) -> Vec<String>,
    },
    /// An IP address.
    Address {
        /// Where it goes.
        place: Place<Option<IpAddr>>,
    },
    /// An IP address and a port.
    Endpoint {
        /// Where it goes.
        place: Place<Option<SocketAddr>>,
    },
    /// One of a few words.
    Choice {
        /// Where its place among the words goes.
        place: Number,
        /// In order.
        words: &'static [&'static str],
    },
    /// What does it is not there: naming it is an error, never a silent no.
    NotYet {
        /// What is not there.
        feature: &'static str,
        /// The value that asks for what there is.
        off: Option<&'static str>,
    },
}

/// Where a number of whatever width goes.
pub(crate) struct Number {
    /// Reads it.
    pub(crate) get: fn(&Values) -> u64,
    /// Writes it; `false` if it does not fit.
    pub(crate) set: fn(&mut Values, u64) -> bool,
}

/// Where a value goes.
pub(crate) struct Place<T> {
    /// Reads it.
    pub(crate) get: fn(&Values) -> &T,
    /// Writes it.
    pub(crate) set: fn(&mut Values, T),
}

impl Kind {
    /// Puts a value where it belongs.
    ///
    /// # Errors
    /// What is accepted instead, a sentence each; then nothing was written.
    pub(crate) fn set(&self, values: &mut Values, text: &str) -> Result<(), Vec<String>> {
        let text = text.trim();
        let written = match self {
            Self::Count { place, accepted } => {
                let number = units::count(text).filter(|it| accepted.contains(it));
                number.is_some_and(|it| (place.set)(values, it))
            }
            Self::Bytes { place, accepted } => {
                let number = units::bytes(text).filter(|it| accepted.contains(it));
                number.is_some_and(|it| (place.set)(values, it))
            }
            Self::Time { place, accepted } => {
                let time = units::time(text).filter(|it| accepted.contains(it));
                time.map(|it| (place.set)(values, it)).is_some()
            }
            Self::Switch { place } => {
                let switch = text.parse().ok();
                switch.map(|it| (place.set)(values, it)).is_some()
            }
            Self::Address { place } => {
                let address = text.parse().ok();
                address.map(|it| (place.set)(values, Some(it))).is_some()
            }
            Self::Endpoint { place } => {
                let endpoint = text.parse().ok();
                endpoint.map(|it| (place.set)(values, Some(it))).is_some()
            }
            Self::List { wrong, .. } | Self::Text { wrong, .. }
                if !text.is_empty() && !wrong(text).is_empty() =>
            {
                return Err(wrong(text));
            }
            Self::Text { place, .. } => {
                let some = Some(text).filter(|it| !it.is_empty());
                some.map(|it| (place.set)(values, it.to_owned())).is_some()
            }
            Self::List { place, .. } => {
                let some = Some(text).filter(|it| !it.is_empty());
                some.map(|it| (place.set)(values, it.to_owned())).is_some()
            }
            Self::Choice { place, words } => {
                let chosen = words.iter().position(|word| *word == text);
                chosen.is_some_and(|it| (place.set)(values, it as u64))
            }
            Self::NotYet { off, .. } => *off == Some(text),
        };
        if written { Ok(()) } else { Err(vec![self.refusal()]) }
    }

    /// The sentence for a value that is not accepted.
    pub(crate) fn refusal(&self) -> String {
        match self {
            Self::Count { .. } => format!("a whole number {} is accepted", self.accepted()),
            Self::Bytes { .. } => {
                format!("a size {} is accepted, such as 8M or 64Ki", self.accepted())
            }
            Self::Time { .. } => {
                format!("a time {} is accepted, such as 25s or 500ms", self.accepted())
            }
            Self::Switch { .. } => "true or false is accepted".to_owned(),
            Self::Address { .. } => "an IPv4 or IPv6 address is accepted".to_owned(),
            Self::Endpoint { .. } => {
                "an IP address with a port is accepted, such as 127.0.0.1:9090".to_owned()
            }
            Self::Text { what, .. } | Self::List { what, .. } => format!("{what} is accepted"),
            Self::Choice { .. } => format!("{} is accepted", self.accepted()),
            Self::NotYet { feature, off: None } => {
                format!("{feature} is not there yet; remove the setting")
            }
            Self::NotYet { feature, off: Some(off) } => {
                format!("{feature} is not there yet; remove the setting, or set it to {off}")
            }
        }
    }

    /// What is accepted, for a table: `from 1 to 256`.
    pub(crate) fn accepted(&self) -> String {
        match self {
            Self::Count { accepted, .. } => {
                format!("from {} to {}", accepted.start(), accepted.end())
            }
            Self::Bytes { accepted, .. } => {
                let show = units::show_bytes;
                format!("from {} to {}", show(*accepted.start()), show(*accepted.end()))
            }
            Self::Time { accepted, .. } => {
                let show = units::show_time;
                format!("from {} to {}", show(*accepted.start()), show(*accepted.end()))
            }
            Self::Switch { .. } => "true or false".to_owned(),
            Self::Address { .. } => "an IPv4 or IPv6 address".to_owned(),
            Self::Endpoint { .. } => "an IP address with a port".to_owned(),
            Self::Text { what, .. } | Self::List { what, .. } => (*what).to_owned(),
            Self::Choice { words, .. } => match words.split_last() {
                Some((last, others)) => format!("{} or {last}", others.join(", ")),
                None => String::new(),
            },
            Self::NotYet { off: None, .. } => "nothing".to_owned(),
            Self::NotYet { off: Some(off), .. } => (*off).to_owned(),
        }
    }

    /// The value; `None` if there is none.
    pub(crate) fn show(&self, values: &Values) -> Option<String> {
        match self {
            Self::Count { place, .. } => Some((place.get)(values).to_string()),
            Self::Bytes { place, .. } => Some(units::show_bytes((place.get)(values))),
            Self::Time { place, .. } => Some(units::show_time(*(place.get)(values))),
            Self::Switch { place } => Some((place.get)(values).to_string()),
            Self::Address { place } => (place.get)(values).map(|it| it.to_string()),
            Self::Endpoint { place } => (place.get)(values).map(|it| it.to_string()),
            Self::Text { place, .. } | Self::List { place, .. } => {
                Some((place.get)(values).clone()).filter(|it| !it.is_empty())
            }
            Self::Choice { place, words } => {
                let chosen = usize::try_from((place.get)(values)).ok();
                chosen.and_then(|it| words.get(it)).map(|word| (*word).to_owned())
            }
            Self::NotYet { .. } => None,
        }
    }

    /// Whether TOML needs no quotes around the value.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self, Self::Count { .. } | Self::Switch { .. })
    }

    /// Whether this version does what it says.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self, Self::NotYet { .. })
    }
}
