//! Where settings are written: the command line, the environment, `.env` and a TOML file.
//!
//! Owns how names in these places lead to settings, and which unknown names are errors. Does not
//! own what the values mean.

mod command_line;
mod file;
mod names;
mod variables;

use std::ffi::OsString;
use std::io;
use std::path::Path;

pub use command_line::{Command, CommandLine};

use super::table::{self, Setting};
use super::wrong::{Named, Source, Wrong};

/// The variable that names the file.
const CONFIG: &str = "RELAY_CONFIG";

/// A setting that somebody wrote.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(super) setting: &'static Setting,
    /// As it was written there.
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) text: String,
}

impl Given {
    /// It is not accepted.
    pub(super) fn refused(&self, accepted: String) -> Wrong {
        Wrong { named: vec![self.named()], accepted }
    }

    /// For a message, with its value.
    pub(super) fn named(&self) -> Named {
        let found = Some(self.setting.masked(&self.text));
        Named { name: self.name.clone(), source: self.source.clone(), found }
    }
}

/// What is written anywhere, the weakest first, and what is wrong with how it is written.
pub(super) fn collect(
    command_line: &CommandLine,
    environment: impl Iterator<Item = (OsString, OsString)>,
    read: &impl Fn(&Path) -> io::Result<Vec<u8>>,
) -> (Vec<Given>, Vec<Wrong>) {
    let mut wrong = command_line.wrong.clone();
    let environment = variables::environment(environment, &mut wrong);
    let dot_env = variables::dot_env(read, &mut wrong);
    let mut given = dot_env;
    given.extend(environment);
    given.extend(command_line.given.iter().cloned());
    let named = given.iter().rfind(|it| it.setting.variable == CONFIG);
    let mut all = file::read(named, read, &mut wrong);
    all.extend(given);
    (all, wrong)
}

/// What to say about a name that nothing has.
fn unknown(name: &str, known: impl Iterator<Item = String>) -> String {
    match names::nearest(name, known) {
        Some(nearest) => format!("no such setting; {nearest} is one"),
        None => "no such setting".to_owned(),
    }
}

/// The names of all variables.
fn variable_names() -> impl Iterator<Item = String> {
    table::all().map(|it| it.variable.to_owned())
}
