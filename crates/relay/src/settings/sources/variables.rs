//! The environment, and the file `.env` of the working directory.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::names::{begins_with_relay, is_injected, resembles};
use super::{Given, unknown, variable_names};
use crate::settings::kind::Kind;
use crate::settings::table;
use crate::settings::wrong::{Source, Wrong};

/// Variables that begin like these belong to features that are not there yet, whatever follows.
const FAMILIES: [&str; 2] = ["KAFKA_", "MONGO"];

const DOT_ENV: &str = ".env";

/// What the environment sets.
pub(super) fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
    wrong: &mut Vec<Wrong>,
) -> Vec<Given> {
    let mut given = Vec::new();
    for (name, value) in variables {
        // No name of ours, nor one like it, has other letters.
        let Ok(name) = name.into_string() else { continue };
        let is_text = value.to_str().is_some();
        let value = value.to_string_lossy().into_owned();
        match table::by_variable(&name) {
            Some(_) if !is_text => {
                let accepted = "text in UTF-8 is accepted";
                wrong.push(Wrong::one(name, Source::Environment, Some(value), accepted));
            }
            Some(_) if value.trim().is_empty() => {}
            Some(setting) => {
                given.push(Given { setting, name, source: Source::Environment, text: value });
            }
            None => wrong.extend(refused(&name, &value)),
        }
    }
    given
}

/// Why a variable of the environment that is none of ours is refused, if it is.
fn refused(name: &str, value: &str) -> Option<Wrong> {
    if is_injected(name) {
        return None;
    }
    let family = FAMILIES.iter().find(|it| name.starts_with(*it) && !value.trim().is_empty());
    let accepted = match family {
        Some(family) => missing(family)?,
        None if resembles(name) => unknown(name, variable_names()),
        None => return None,
    };
    Some(Wrong::one(name, Source::Environment, None, accepted))
}

/// What is said about a family whose feature is missing; `None` once it is there.
fn missing(family: &str) -> Option<String> {
    table::all().filter(|it| it.variable.starts_with(family)).find_map(|it| match it.kind {
        Kind::NotYet { feature, .. } => {
            Some(format!("{feature} is not there yet; remove the setting"))
        }
        _ => None,
    })
}

/// What `.env` sets; of a name that occurs twice the last counts, as in Node.
pub(super) fn dot_env(
    read: &impl Fn(&Path) -> io::Result<Vec<u8>>,
    wrong: &mut Vec<Wrong>,
) -> Vec<Given> {
    let mut about = |name: &str, accepted: String| {
        wrong.push(Wrong::one(name, Source::DotEnv, None, accepted));
    };
    let bytes = match read(Path::new(DOT_ENV)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            about("", error.to_string());
            return Vec::new();
        }
    };
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut given = Vec::new();
    let mut last = None;
    for line in dotenvy::from_read_iter(bytes) {
        let (name, text) = match line {
            Ok(line) => line,
            Err(error) => {
                about("", broken_line(&error, last.as_deref()));
                continue;
            }
        };
        last = Some(name.clone());
        match table::by_variable(&name) {
            Some(_) if text.trim().is_empty() => {}
            Some(setting) => given.push(Given { setting, name, source: Source::DotEnv, text }),
            None if begins_with_relay(&name) && !is_injected(&name) => {
                about(&name, unknown(&name, variable_names()));
            }
            // The file is often shared with other programs.
            None => {}
        }
    }
    given
}

/// What is wrong with a line. Its text is not repeated: it may hold somebody's secret.
fn broken_line(error: &dotenvy::Error, last: Option<&str>) -> String {
    let place = match last {
        Some(last) => format!("the line after {last}"),
        None => "its first line".to_owned(),
    };
    match error {
        dotenvy::Error::Io(error) => format!("{place}: {error}"),
        _ => format!("{place} is no setting; NAME=value is accepted, quoted if it has spaces"),
    }
}
