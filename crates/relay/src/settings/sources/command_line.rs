//! The command line: `relay [COMMAND] [--SETTING VALUE]...`.
//!
//! Every setting is a flag, so the table is all that a parser needs to know; what is wrong here is
//! told together with what is wrong elsewhere.

use std::ffi::OsString;

use super::{Given, unknown};
use crate::settings::table;
use crate::settings::wrong::{Source, Wrong};

/// What the program is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Serve until a signal.
    Serve,
    /// Say whether the configuration is right.
    Check,
    /// Print the configuration.
    PrintConfig,
    /// Ask a running instance whether it is ready.
    Health {
        /// What to ask; by default what the configuration says.
        url: Option<String>,
    },
    /// Print the version.
    Version,
    /// Print all settings.
    Help,
}

/// The words behind `relay`.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// What to do.
    pub command: Command,
    pub(super) given: Vec<Given>,
    pub(super) wrong: Vec<Wrong>,
}

impl CommandLine {
    /// Reads the words without the name of the program. What is wrong is told by
    /// [`super::super::Loaded::read`].
    #[must_use]
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut words = words.into_iter().map(|it| it.to_string_lossy().into_owned()).peekable();
        let mut line = Self { command: Command::Serve, given: Vec::new(), wrong: Vec::new() };
        let mut url = None;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => line.command = Command::Help,
                "--version" | "-V" => line.command = Command::Version,
                _ => match word.strip_prefix("--") {
                    Some(flag) => {
                        let (flag, value) = match flag.split_once('=') {
                            Some((flag, value)) => (flag, Some(value.to_owned())),
                            None => (flag, words.next_if(|it| is_value(it))),
                        };
                        match flag {
                            "url" => url = Some(value.unwrap_or_default()),
                            _ => line.flag(flag, value),
                        }
                    }
                    None => line.word(&word),
                },
            }
        }
        match (&mut line.command, url) {
            (_, None) | (Command::Help | Command::Version, _) => {}
            (Command::Health { .. }, Some(url)) if url.is_empty() => {
                line.refuse("--url", "a value must follow: http://host:port/path".to_owned());
            }
            (Command::Health { url: asked }, url) => *asked = url,
            (_, Some(_)) => line.refuse("--url", "it belongs to `relay health`".to_owned()),
        }
        line
    }

    /// Whether nothing but the command was said wrongly.
    ///
    /// # Errors
    /// What is wrong with the command line alone.
    pub fn check(&self) -> Result<(), Vec<Wrong>> {
        if self.wrong.is_empty() { Ok(()) } else { Err(self.wrong.clone()) }
    }

    fn word(&mut self, word: &str) {
        let command = match word {
            "check" => Command::Check,
            "print-config" => Command::PrintConfig,
            "health" => Command::Health { url: None },
            _ => {
                let accepted = "check, print-config, health or a flag is accepted; see --help";
                return self.refuse(word, accepted.to_owned());
            }
        };
        match self.command {
            Command::Serve => self.command = command,
            // Whoever asks for help gets it.
            Command::Help | Command::Version => {}
            _ => self.refuse(word, "one command is accepted".to_owned()),
        }
    }

    fn flag(&mut self, flag: &str, value: Option<String>) {
        let name = format!("--{flag}");
        let Some(setting) = table::all().find(|it| it.flag() == name) else {
            let flags = table::all().map(table::Setting::flag);
            return self.refuse(&name, unknown(&name, flags));
        };
        if self.given.iter().any(|it| it.setting.variable == setting.variable) {
            return self.refuse(&name, "it stands there twice".to_owned());
        }
        let Some(text) = value else {
            let accepted = format!("a value must follow: {}", setting.kind.accepted());
            return self.refuse(&name, accepted);
        };
        self.given.push(Given { setting, name, source: Source::CommandLine, text });
    }

    fn refuse(&mut self, name: &str, accepted: String) {
        self.wrong.push(Wrong::one(name, Source::CommandLine, None, accepted));
    }
}

/// Whether a word may be the value of the flag before it: a negative number may.
fn is_value(word: &str) -> bool {
    !word.starts_with("--")
}
