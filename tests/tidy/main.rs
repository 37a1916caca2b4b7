//! The rules of the code that a program can check, as tests.
//!
//! A crate of its own, with no code but these tests: the rules are about the whole repository, not
//! about one crate, and the parser that they need is no crate's business. Each rule is a function
//! from what it looks at to what is wrong there; it is tried on a bad example before it is trusted
//! with the repository.

mod arrows;
mod files;
mod functions;
mod lints;
mod source;
mod words;

use std::fmt::{self, Display};

use source::Source;

/// What is wrong, and where.
#[derive(Debug)]
struct Offence {
    file: String,
    line: usize,
    what: String,
    /// The name under which it may stand in a list of exceptions.
    name: String,
}

impl Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Holds a rule against every file. An exception that nothing needs any more is an offence too:
/// that is how the lists shrink.
fn check(rule: fn(&Source) -> Vec<Offence>, exceptions: &[&str]) {
    let found: Vec<Offence> = source::all().iter().flat_map(rule).collect();
    let excepted = |it: &&Offence| exceptions.contains(&it.name.as_str());
    let mut wrong: Vec<String> =
        found.iter().filter(|it| !excepted(it)).map(ToString::to_string).collect();
    let needed = |exception: &str| found.iter().any(|it| it.name == exception);
    let idle = exceptions.iter().filter(|it| !needed(it));
    wrong.extend(idle.map(|it| format!("{it}: the exception is not needed any more")));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Tries a rule on an example: the lines in which it finds something.
fn check_example(rule: fn(&Source) -> Vec<Offence>, file: &str, text: &str, lines: &[usize]) {
    let found = rule(&Source::new(file, text));
    let at: Vec<usize> = found.iter().map(|it| it.line).collect();
    assert_eq!(at, lines, "{file}: {found:?}\n{text}");
}
