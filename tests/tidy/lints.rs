//! Lints: no unsafe code but in one small crate, and no silence without a reason.

use std::fs;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::source::{Source, root};
use crate::{Offence, arrows, check, check_example};

/// Attributes that silence a lint, also where a macro writes them.
fn silent(source: &Source) -> Vec<Offence> {
    let tokens = TokenStream::from_str(&source.text)
        .unwrap_or_else(|error| panic!("{}: {error}", source.file));
    let mut found = Vec::new();
    look(tokens, false, source, &mut found);
    found
}

fn look(tokens: TokenStream, in_attribute: bool, source: &Source, found: &mut Vec<Offence>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (place, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before = |steps: usize| place.checked_sub(steps).map(|it| tokens[it].to_string());
        let attribute = group.delimiter() == Delimiter::Bracket
            && (before(1).as_deref() == Some("#")
                || (before(1).as_deref() == Some("!") && before(2).as_deref() == Some("#")));
        if in_attribute
            && let Some(lint @ ("allow" | "expect")) = before(1).as_deref()
            && !group.stream().into_iter().any(|it| it.to_string() == "reason")
        {
            let line = group.span_open().start().line;
            let what = format!("`{lint}` without a `reason`");
            found.push(source.offence(line, what, &source.file));
        }
        look(group.stream(), attribute || in_attribute, source, found);
    }
}

/// Whether a manifest takes the lints of the workspace.
fn takes_lints(manifest: &str) -> bool {
    let lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines.take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true")
}

#[test]
fn every_silence_has_a_reason() {
    check_example(
        silent,
        "a.rs",
        "#![allow(a, reason = \"b\")]\n#[expect(a, reason = \"b\")]\nfn a() {}",
        &[],
    );
    check_example(silent, "a.rs", "#![allow(a)]\n#[allow(a)]\nfn a() {}", &[1, 2]);
    check_example(silent, "a.rs", "\n#[cfg_attr(test, expect(a))]\nfn a() {}", &[2]);
    check_example(silent, "a.rs", "macro_rules! a {\n() => { #[allow(a)] fn b() {} } }", &[2]);
    check_example(silent, "a.rs", "fn a() { b().expect(c); allow(c); }", &[]);
    check(silent, &[]);
}

/// Where a call of the system's allocator stands, and nothing else.
const UNSAFE: &str = "crates/heap/Cargo.toml";

#[test]
fn no_other_crate_has_unsafe_code() {
    assert!(takes_lints("[a]\nb = 1\n[lints]\n# c\nworkspace = true\n"));
    assert!(!takes_lints("[lints]\n[a]\nworkspace = true\n"));
    let read = |path: &std::path::Path| {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    // `forbid` in the table of the workspace is stronger than in the root of a crate: it holds for
    // the crate's tests, examples and binaries too, and no attribute can lift it.
    let workspace = root().join("Cargo.toml");
    let lints = read(&workspace);
    assert!(
        lints.lines().any(|line| line == "unsafe_code = \"forbid\""),
        "{}:1: `unsafe_code` is not forbidden",
        workspace.display()
    );
    let lax: Vec<String> = arrows::packages()
        .into_iter()
        .map(|it| it.manifest)
        .filter(|path| !path.ends_with(UNSAFE) && !takes_lints(&read(path)))
        .map(|path| format!("{}:1: [lints] workspace = true is missing", path.display()))
        .collect();
    assert!(lax.is_empty(), "\n{}\n", lax.join("\n"));
}
