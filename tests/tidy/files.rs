//! Files: each says first what it is, and none is longer than can be read in one go.

use crate::source::Source;
use crate::{Offence, check, check_example};

const LINES_MAX: usize = 400;

/// No exception goes beyond this.
const EXCEPTION_LINES_MAX: usize = 800;

/// Files above the soft bound. This list only shrinks.
const LONG: &[&str] = &["crates/hub/src/hub.rs", "crates/server/src/shard.rs"];

fn no_opening(source: &Source) -> Vec<Offence> {
    let opening = source.text.lines().next().and_then(|line| line.strip_prefix("//!"));
    if opening.is_some_and(|it| !it.trim().is_empty()) {
        return Vec::new();
    }
    let what = "a module opens with `//!`: what it owns, what it does not".to_owned();
    vec![source.offence(1, what, &source.file)]
}

fn too_long(source: &Source) -> Vec<Offence> {
    let lines = source.text.lines().count();
    if lines <= LINES_MAX {
        return Vec::new();
    }
    // No exception can have the empty name.
    let name = if lines > EXCEPTION_LINES_MAX { "" } else { &source.file };
    let max = if name.is_empty() { EXCEPTION_LINES_MAX } else { LINES_MAX };
    vec![source.offence(lines, format!("{lines} lines, {max} are enough"), name)]
}

#[test]
fn every_module_says_what_it_is() {
    check_example(no_opening, "a.rs", "//! Owns a.\n", &[]);
    check_example(no_opening, "a.rs", "//!\n//! Owns a.\n", &[1]);
    check_example(no_opening, "a.rs", "// Owns a.\n", &[1]);
    check_example(no_opening, "a.rs", "use a::b;\n", &[1]);
    check_example(no_opening, "a.rs", "", &[1]);
    check(no_opening, &[]);
}

#[test]
fn no_file_is_too_long() {
    check_example(too_long, "a.rs", &"\n".repeat(LINES_MAX), &[]);
    check_example(too_long, "a.rs", &"\n".repeat(LINES_MAX + 1), &[LINES_MAX + 1]);
    let source = Source::new("a.rs", &"\n".repeat(EXCEPTION_LINES_MAX + 1));
    assert!(too_long(&source).iter().any(|it| it.name.is_empty()));
    check(too_long, LONG);
}
