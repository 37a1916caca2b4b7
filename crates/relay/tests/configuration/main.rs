//! The configuration from outside: what each source says, what is refused and how, and the page
//! of the documentation.

mod broken;
mod commands;
mod lists;
mod strength;
mod support;

use std::path::Path;

/// The page is written from the table, so that nobody has to remember to.
#[test]
fn the_reference_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let fresh = relay::settings::reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).expect("docs/configuration.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(fresh.lines()).position(|(a, b)| a != b);
    assert!(
        written == fresh,
        "docs/configuration.md is stale (line {}): UPDATE_DOCS=1 cargo test -p relay --test \
         configuration writes it",
        differs.unwrap_or_else(|| written.lines().count()) + 1
    );
}
