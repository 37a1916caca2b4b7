//! A configuration as data, read without touching the real environment.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use relay::memory::{Bound, Budget};
use relay::settings::{CommandLine, Loaded, Machine, Wrong};

/// What is written in each place.
#[derive(Clone, Default)]
pub(crate) struct Written<'a> {
    /// The words of the command line.
    pub(crate) words: &'a [&'a str],
    pub(crate) environment: &'a [(&'a str, &'a str)],
    pub(crate) dot_env: Option<&'a str>,
    /// Files by name.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

impl Written<'_> {
    /// Reads it on a machine with 3 cores and 4 GB.
    pub(crate) fn read(&self) -> Result<Loaded, Vec<Wrong>> {
        let mut files: HashMap<&str, &str> = self.files.iter().copied().collect();
        files.extend(self.dot_env.map(|text| (".env", text)));
        let read = |path: &Path| match path.to_str().and_then(|it| files.get(it)) {
            Some(&"a directory") => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let environment = self.environment.iter().map(|(name, value)| (name.into(), value.into()));
        let line = CommandLine::read(self.words.iter().map(OsString::from));
        Loaded::read(&line, environment, read, machine())
    }

    /// What it is refused for, a line each.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let wrong = self.read().err().unwrap_or_default();
        wrong.iter().map(ToString::to_string).collect()
    }
}

/// A machine that is the same everywhere.
pub(crate) fn machine() -> Machine {
    let budget = Budget { bytes_max: 2_000_000_000, of: (Bound::CgroupV2, 4_000_000_000) };
    Machine { cores: 3, budget: Some(budget), name: "host-1".to_owned() }
}

/// What is written somewhere, and every message that this leads to.
#[track_caller]
pub(crate) fn check(written: &Written<'_>, expect: &[&str]) {
    assert_eq!(written.wrong(), expect);
}

pub(crate) fn environment(variables: &[(&str, &str)], expect: &[&str]) {
    check(&Written { environment: variables, ..Written::default() }, expect);
}

pub(crate) fn file(text: &str, expect: &[&str]) {
    check(&Written { files: &[("relay.toml", text)], ..Written::default() }, expect);
}

pub(crate) fn dot_env(text: &str, expect: &[&str]) {
    check(&Written { dot_env: Some(text), ..Written::default() }, expect);
}

pub(crate) fn words(words: &[&str], expect: &[&str]) {
    check(&Written { words, ..Written::default() }, expect);
}
