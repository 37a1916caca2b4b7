//! Every setting, declared once: names, kind, default, meaning.
//!
//! Help, reference, messages and readers all work from this table; the default is whatever
//! [`Values::default_on`](super::Values) has there. A new setting is a new row.

/// Where a number of whatever width goes.
macro_rules! number {
    ($($field:ident).+) => {
        Number {
            get: |it| it.$($field).+ as u64,
            set: |it, number| match number.try_into() {
                Ok(number) => {
                    it.$($field).+ = number;
                    true
                }
                Err(_) => false,
            },
        }
    };
}

/// Where any other value goes.
macro_rules! place {
    ($($field:ident).+) => {
        Place { get: |it| &it.$($field).+, set: |it, value| it.$($field).+ = value }
    };
}

/// A bound of [`relay_hub::Limits`]: its key is the name of the field.
macro_rules! limit {
    (count $field:ident, $variable:literal, $accepted:expr, $doc:literal) => {
        limit!(
            Kind::Count { place: number!(limits.$field), accepted: $accepted },
            $field,
            $variable,
            $doc
        )
    };
    (bytes $field:ident, $variable:literal, $accepted:expr, $doc:literal) => {
        limit!(
            Kind::Bytes { place: number!(limits.$field), accepted: $accepted },
            $field,
            $variable,
            $doc
        )
    };
    (time $field:ident, $variable:literal, $accepted:expr, $doc:literal) => {
        limit!(
            Kind::Time { place: place!(limits.$field), accepted: $accepted },
            $field,
            $variable,
            $doc
        )
    };
    (switch $field:ident, $variable:literal, $doc:literal) => {
        limit!(Kind::Switch { place: place!(limits.$field) }, $field, $variable, $doc)
    };
    ($kind:expr, $field:ident, $variable:literal, $doc:literal) => {
        Setting::new($variable, concat!("limits.", stringify!($field)), $kind, $doc)
    };
}

mod cluster;
mod flow;
mod missing;
mod program;
mod protocol;

use std::time::Duration;

use super::kind::Kind;

const K: u64 = 1_000;
const M: u64 = 1_000_000;
const G: u64 = 1_000_000_000;
const DAY: Duration = Duration::from_secs(86_400);
const MILLISECOND: Duration = Duration::from_millis(1);

/// How much of a value may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Secrecy {
    /// All of it.
    Open,
    /// What a URL has besides user, password and query.
    Url,
    /// Nothing.
    Secret,
}

/// One setting.
pub struct Setting {
    /// Its name in the environment and in `.env`.
    pub variable: &'static str,
    /// Its name in the TOML file, `table.name`; empty if it cannot stand there.
    pub key: &'static str,
    /// What it means, in sentences.
    pub doc: &'static str,
    /// The default in words where it depends on the machine or is no value.
    pub default_words: Option<&'static str>,
    pub(crate) kind: Kind,
    pub(crate) secrecy: Secrecy,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.variable)
    }
}

impl Setting {
    const fn new(variable: &'static str, key: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { variable, key, doc, default_words: None, kind, secrecy: Secrecy::Open }
    }

    const fn by_default(mut self, words: &'static str) -> Self {
        self.default_words = Some(words);
        self
    }

    const fn secret(mut self, secrecy: Secrecy) -> Self {
        self.secrecy = secrecy;
        self
    }

    /// Its flag: the variable without `RELAY_`, in small letters with dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        let bare = self.variable.strip_prefix("RELAY_").unwrap_or(self.variable);
        format!("--{}", bare.to_ascii_lowercase().replace('_', "-"))
    }

    /// A value of it, as anybody may see it.
    pub(crate) fn masked(&self, text: &str) -> String {
        match self.secrecy {
            Secrecy::Open => text.to_owned(),
            Secrecy::Secret => "***".to_owned(),
            Secrecy::Url => {
                let (url, query) = match text.split_once('?') {
                    Some((url, _)) => (url, "?***"),
                    None => (text, ""),
                };
                let (scheme, rest) = url.split_at(url.find("://").map_or(0, |at| at + 3));
                // A password may hold anything, another @ and a slash too.
                match rest.rsplit_once('@') {
                    Some((_, host)) => format!("{scheme}***@{host}{query}"),
                    None => format!("{url}{query}"),
                }
            }
        }
    }
}

/// Settings that belong together.
pub(crate) struct Group {
    /// A heading.
    pub(crate) title: &'static str,
    /// Its members.
    pub(crate) settings: &'static [Setting],
}

/// All settings, in the order in which they are shown.
pub(crate) const GROUPS: [&Group; 15] = [
    &program::SERVER,
    &program::CORS,
    &program::DRAIN,
    &program::LOGS,
    &program::METRICS,
    &cluster::REDIS,
    &protocol::PROTOCOL,
    &protocol::NAMESPACES,
    &protocol::ROOMS,
    &cluster::CLUSTER,
    &flow::MEMORY,
    &flow::HTTP,
    &flow::METRICS,
    &flow::TURNS,
    &missing::MISSING,
];

/// All settings.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.into_iter().flat_map(|it| it.settings)
}

/// The setting with this name in the environment.
pub(crate) fn by_variable(name: &str) -> Option<&'static Setting> {
    all().find(|it| it.variable == name)
}

/// The setting with this name in the file.
pub(crate) fn by_key(key: &str) -> Option<&'static Setting> {
    all().find(|it| it.key == key && !key.is_empty())
}

/// The setting of a field of [`relay_hub::Limits`].
pub(crate) fn by_limit(field: &str) -> Option<&'static Setting> {
    all().find(|it| it.key.strip_prefix("limits.") == Some(field))
}

#[cfg(test)]
mod tests {
    use super::{Kind, Secrecy, Setting, all, by_limit};
    use crate::settings::{Machine, Values};
    use relay_hub::Limits;
    use std::collections::HashSet;

    fn values() -> Values {
        Values::default_on(&Machine { cores: 2, budget: None, name: "x".to_owned() })
    }

    #[test]
    fn every_limit_is_a_setting() {
        // The names of the fields, as `Debug` writes them; some stand in a struct of their own.
        let limits = format!("{:#?}", Limits::default());
        let (mut fields, mut group) = (Vec::new(), "");
        for (name, value) in limits.lines().filter_map(|it| it.split_once(": ")) {
            match (name.strip_prefix("        "), value.ends_with('{')) {
                (Some(inner), _) => fields.push(format!("{group}_{inner}")),
                (None, true) => group = name.trim(),
                (None, false) => fields.push(name.trim().to_owned()),
            }
        }
        assert!(fields.len() > 50, "{fields:?}");
        for field in fields {
            let setting = by_limit(&field).unwrap_or_else(|| panic!("{field} is no setting"));
            assert_eq!(setting.variable, format!("RELAY_{}", field.to_ascii_uppercase()));
        }
        for relation in Limits::default().relations() {
            for field in relation.limits {
                assert!(by_limit(field).is_some(), "{field}");
            }
        }
    }

    #[test]
    fn a_default_is_accepted_where_it_is_written() {
        for setting in all() {
            let Some(shown) = setting.kind.show(&values()) else { continue };
            let mut read = values();
            assert_eq!(setting.kind.set(&mut read, &shown), Ok(()), "{setting:?}={shown}");
            assert_eq!(format!("{read:?}"), format!("{:?}", values()), "{setting:?}={shown}");
        }
    }

    #[test]
    fn a_value_changes_one_setting() {
        let samples = [
            "3",
            "3G",
            "11",
            "77",
            "77K",
            "12345",
            "text",
            "warn",
            "msgpackr",
            "7s",
            "1ms",
            "900us",
            "11ms",
            "false",
            "true",
            "::1",
            "[::1]:7",
            "redis://x",
            "join",
        ];
        for setting in all().filter(|it| it.kind.is_there()) {
            let text = |values: &Values| format!("{values:?}");
            let changed = samples.iter().any(|sample| {
                let mut read = values();
                let set = setting.kind.set(&mut read, sample).is_ok();
                let shown = |other: &Setting| (other.kind.show(&read), other.kind.show(&values()));
                let differs = |other: &&Setting| {
                    let (now, before) = shown(other);
                    now != before
                };
                let others: Vec<_> = all().filter(differs).map(|it| it.variable).collect();
                set && text(&read) != text(&values()) && others == [setting.variable]
            });
            let is_list = matches!(setting.kind, Kind::List { .. });
            assert!(changed || is_list, "{setting:?}");
        }
    }

    #[test]
    fn names_follow_the_rule() {
        let mut names = HashSet::new();
        for setting in all() {
            assert!(names.insert(setting.variable.to_owned()), "{setting:?}");
            assert!(names.insert(setting.flag()), "{setting:?}");
            if setting.key.is_empty() {
                continue;
            }
            assert!(names.insert(setting.key.to_owned()), "{setting:?}");
            let name = setting.key.split_once('.').map_or("", |(_, name)| name);
            let end = setting.variable.to_ascii_lowercase();
            assert!(!name.is_empty() && !name.contains('.') && end.ends_with(name), "{setting:?}");
        }
    }

    #[test]
    fn each_says_what_it_means() {
        for setting in all() {
            assert!(setting.doc.len() > 10 && !setting.doc.contains(['|', '\n']), "{setting:?}");
            assert!(setting.doc.ends_with('.'), "{setting:?}");
            let default = setting.kind.show(&values()).is_some() || setting.default_words.is_some();
            assert!(default || !setting.kind.is_there(), "{setting:?}");
        }
    }

    #[test]
    fn secrets_are_masked() {
        let check = |secrecy, text: &str, expect: &str| {
            let kind = Kind::NotYet { feature: "x", off: None };
            let setting = Setting::new("X", "x.x", kind, "x").secret(secrecy);
            assert_eq!(setting.masked(text), expect);
        };
        check(Secrecy::Open, "redis://a:b@c", "redis://a:b@c");
        check(Secrecy::Secret, "b", "***");
        check(Secrecy::Secret, "", "***");
        check(Secrecy::Url, "redis://c:1/0", "redis://c:1/0");
        check(Secrecy::Url, "redis://a:b@c:1/0", "redis://***@c:1/0");
        check(Secrecy::Url, "redis://a:b@/d@c", "redis://***@c");
        check(Secrecy::Url, "a:b@c", "***@c");
        check(Secrecy::Url, "mongodb://c/?password=b", "mongodb://c/?***");
        check(Secrecy::Url, "mongodb://a:b@c,d/?x=@y", "mongodb://***@c,d/?***");
    }
}
