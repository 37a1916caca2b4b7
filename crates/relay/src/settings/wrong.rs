//! What is wrong with a configuration, and where it was written.
//!
//! Owns the sentences that an operator reads. They are one line each, whatever stood in a value.

use std::fmt::{self, Display};

/// Characters of a value that a message repeats.
const FOUND_CHARS_MAX: usize = 120;

/// Where a value comes from, the weakest first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// Nobody wrote it.
    Default,
    /// The TOML file.
    File {
        /// As it was named.
        path: String,
        /// From 1; 0 is the file as a whole.
        line: usize,
    },
    /// `.env` in the working directory.
    DotEnv,
    /// The environment of the process.
    Environment,
    /// The command line.
    CommandLine,
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => f.write_str(&one_line(path)),
            Self::File { path, line } => write!(f, "{}, line {line}", one_line(path)),
            Self::DotEnv => f.write_str(".env"),
            Self::Environment => f.write_str("environment"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// A setting as it was written somewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// `RELAY_SHARDS`, `server.shards` or `--shards`, after the source. Empty: it has no name,
    /// such as a line that is no setting.
    pub name: String,
    /// Where.
    pub source: Source,
    /// The value, secrets masked; `None` if it does not matter.
    pub found: Option<String>,
}

impl Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = one_line(&self.name);
        match &self.found {
            _ if name.is_empty() => write!(f, "{}", self.source),
            Some(found) => write!(f, "{name}={} ({})", one_line(&beginning(found)), self.source),
            None => write!(f, "{name} ({})", self.source),
        }
    }
}

/// One thing that ends the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The settings that it is about: one, or those that do not go together.
    pub named: Vec<Named>,
    /// What is accepted instead, or what must hold.
    pub accepted: String,
}

impl Wrong {
    /// About one setting.
    pub(crate) fn one(
        name: impl Into<String>,
        source: Source,
        found: Option<String>,
        accepted: impl Into<String>,
    ) -> Self {
        let named = vec![Named { name: name.into(), source, found }];
        Self { named, accepted: accepted.into() }
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, named) in self.named.iter().enumerate() {
            let between = if place == 0 { "" } else { " and " };
            write!(f, "{between}{named}")?;
        }
        write!(f, ": {}", one_line(&self.accepted))
    }
}

/// Text that cannot pretend to be another line.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// The beginning of a value, if it is long.
fn beginning(text: &str) -> String {
    let mut chars = text.chars();
    let mut kept: String = chars.by_ref().take(FOUND_CHARS_MAX).collect();
    if chars.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{Source, Wrong};

    fn check(name: &str, source: Source, found: Option<&str>, expect: &str) {
        let wrong = Wrong::one(name, source, found.map(str::to_owned), "a port is accepted");
        assert_eq!(wrong.to_string(), expect);
    }

    #[test]
    fn a_message_is_one_line() {
        let file = |line| Source::File { path: "a/relay.toml".to_owned(), line };
        check("PORT", Source::Environment, Some("x"), "PORT=x (environment): a port is accepted");
        check("--port", Source::CommandLine, None, "--port (command line): a port is accepted");
        check("", file(3), None, "a/relay.toml, line 3: a port is accepted");
        check("", file(0), None, "a/relay.toml: a port is accepted");
        check(
            "PORT",
            Source::DotEnv,
            Some("1\nrelay: \u{1b}[31mforged\u{2028}ñ"),
            "PORT=1\\nrelay: \\u{1b}[31mforged\\u{2028}ñ (.env): a port is accepted",
        );
        let cut = format!("PORT={}… (environment): a port is accepted", "x".repeat(120));
        check("PORT", Source::Environment, Some(&"x".repeat(1_000)), &cut);
    }
}
