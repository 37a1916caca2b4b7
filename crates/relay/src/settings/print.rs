//! The configuration as it is, as a TOML file.

use std::collections::HashMap;

use super::table::{self, Setting};
use super::wrong::{Source, one_line};
use super::{Given, Values};

/// Every setting with its value and where that comes from.
pub(super) fn print(values: &Values, sources: &HashMap<&'static str, Given>) -> String {
    let mut text = String::new();
    let mut last_table = "";
    let settings = || table::all().filter(|it| it.kind.is_there());
    for setting in settings().filter(|it| it.key.is_empty()) {
        let given = sources.get(setting.variable);
        let value = setting.kind.show(values).map(|it| setting.masked(&it));
        let value = value.as_deref().or(setting.default_words).unwrap_or_default();
        let line =
            format!("# {}: {}  # {}\n", setting.variable, one_line(value), origin(setting, given));
        text.push_str(&line);
    }
    for setting in settings() {
        let Some((table, name)) = setting.key.split_once('.') else { continue };
        if table != last_table {
            text.push_str(&format!("\n[{table}]\n"));
            last_table = table;
        }
        let origin = origin(setting, sources.get(setting.variable));
        let line = match setting.kind.show(values) {
            Some(value) if setting.kind.is_bare() => format!("{name} = {value}  # {origin}\n"),
            Some(value) => {
                format!("{name} = {}  # {origin}\n", quoted(&setting.masked(&value)))
            }
            None => format!("# {name} is not set  # {origin}\n"),
        };
        text.push_str(&line);
    }
    text
}

/// Where a value comes from.
fn origin(setting: &Setting, given: Option<&Given>) -> String {
    match (given, setting.default_words) {
        (None, Some(words)) if setting.kind.is_there() => format!("default: {words}"),
        (None, _) => Source::Default.to_string(),
        (Some(given), _) => match given.source {
            Source::File { .. } => given.source.to_string(),
            _ => format!("{} ({})", given.name, given.source),
        },
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
