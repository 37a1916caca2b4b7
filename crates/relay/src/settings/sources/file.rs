//! The TOML file: tables of settings.

use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Given, unknown};
use crate::settings::kind::Kind;
use crate::settings::table::{self, Setting};
use crate::settings::wrong::{Source, Wrong};

/// The file that is read if none is named, where there is one.
const PATH: &str = "relay.toml";

/// A file that is being read.
struct File<'a> {
    path: &'a str,
    text: &'a str,
    given: Vec<Given>,
    wrong: &'a mut Vec<Wrong>,
}

/// What the file sets that `named` names, or else the usual one.
pub(super) fn read(
    named: Option<&Given>,
    read: &impl Fn(&Path) -> io::Result<Vec<u8>>,
    wrong: &mut Vec<Wrong>,
) -> Vec<Given> {
    let path = named.map_or(PATH, |it| it.text.trim());
    let whole = Source::File { path: path.to_owned(), line: 0 };
    let bytes = match (read(Path::new(path)), named) {
        (Ok(bytes), _) => bytes,
        (Err(error), None) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        (Err(error), Some(named)) => {
            wrong.push(named.refused(format!("a file that can be read is accepted: {error}")));
            return Vec::new();
        }
        (Err(error), None) => {
            wrong.push(Wrong::one("", whole, None, error.to_string()));
            return Vec::new();
        }
    };
    let Ok(text) = str::from_utf8(&bytes) else {
        wrong.push(Wrong::one("", whole, None, "text in UTF-8 is accepted"));
        return Vec::new();
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut file = File { path, text, given: Vec::new(), wrong };
    for error in &errors {
        let at = error.span().map_or(0, |it| it.start);
        file.refuse("", at, None, format!("no TOML: {}", error.message()));
    }
    // What was made of a broken file is a guess.
    if errors.is_empty() {
        file.tables(root.get_ref());
    }
    file.given
}

impl File<'_> {
    fn source(&self, at: usize) -> Source {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|it| **it == b'\n').count();
        Source::File { path: self.path.to_owned(), line }
    }

    fn refuse(&mut self, name: &str, at: usize, found: Option<String>, accepted: String) {
        let source = self.source(at);
        self.wrong.push(Wrong::one(name, source, found, accepted));
    }

    fn tables(&mut self, root: &DeTable<'_>) {
        for (name, value) in root {
            let at = name.span().start;
            let name: &str = name.get_ref();
            let is_known = keys().any(|it| it.split('.').next() == Some(name));
            match value.get_ref() {
                DeValue::Table(table) if is_known => self.settings(name, table),
                _ if is_known => {
                    let accepted = format!("a table is accepted: [{name}]");
                    self.refuse(name, at, Some(show(value.get_ref())), accepted);
                }
                _ => self.refuse(name, at, None, misplaced(name)),
            }
        }
    }

    fn settings(&mut self, table_name: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span().start;
            let key = format!("{table_name}.{}", name.get_ref());
            match table::by_key(&key) {
                Some(setting) => self.setting(setting, at, value),
                None => self.refuse(&key, at, None, unknown(&key, keys())),
            }
        }
    }

    fn setting(&mut self, setting: &'static Setting, at: usize, value: &Spanned<DeValue<'_>>) {
        let is_list = matches!(setting.kind, Kind::List { .. });
        match text(value.get_ref(), is_list) {
            // As everywhere: what is empty is not set in a variable, but here it was meant.
            Some(text) => {
                let source = self.source(at);
                self.given.push(Given { setting, name: setting.key.to_owned(), source, text });
            }
            None => {
                let found = setting.masked(&show(value.get_ref()));
                let accepted = match setting.kind {
                    Kind::NotYet { .. } => setting.kind.refusal(),
                    _ => format!("one value is accepted: {}", setting.kind.accepted()),
                };
                self.refuse(setting.key, at, Some(found), accepted);
            }
        }
    }
}

/// The names of all settings that may stand in a file.
fn keys() -> impl Iterator<Item = String> {
    table::all().filter(|it| !it.key.is_empty()).map(|it| it.key.to_owned())
}

/// What to say about a name that is no table of ours.
fn misplaced(name: &str) -> String {
    let inside = table::by_variable(name).filter(|it| !it.key.is_empty()).map(|it| it.key);
    match inside
        .or_else(|| table::all().map(|it| it.key).find(|it| it.ends_with(&format!(".{name}"))))
    {
        Some(key) => format!("no such table; {key} is a setting"),
        None => {
            let tables = keys().filter_map(|it| Some(it.split_once('.')?.0.to_owned()));
            unknown(name, tables).replace("setting", "table")
        }
    }
}

/// The text of a value as a variable would have it; `None` if it is no single value.
fn text(value: &DeValue<'_>, is_list: bool) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            Some(read.map_or_else(|_| number.to_string(), |it| it.to_string()))
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Array(values) if is_list => {
            let one = |it: &Spanned<DeValue<'_>>| match it.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            Some(values.iter().map(one).collect::<Option<Vec<_>>>()?.join(","))
        }
        DeValue::Array(_) | DeValue::Table(_) | DeValue::Datetime(_) => None,
    }
}

/// What was found, for a message.
fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::Datetime(date) => date.to_string(),
        single => text(single, false).unwrap_or_default(),
    }
}
