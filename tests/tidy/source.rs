//! The Rust files of the repository, parsed.

use std::fs;
use std::path::Path;

use crate::Offence;

/// Where build output and what is installed lie; hidden folders are none of ours either.
const NOT_OURS: [&str; 2] = ["target", "node_modules"];

/// A file.
pub(crate) struct Source {
    /// Its path from the root of the repository, with `/`.
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) tree: syn::File,
}

impl Source {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let tree = syn::parse_file(text).unwrap_or_else(|error| {
            panic!("{file}:{}: {error}", error.span().start().line);
        });
        Self { file: file.to_owned(), text: text.to_owned(), tree }
    }

    /// Whether all of it serves tests, benchmarks or examples.
    pub(crate) fn is_test(&self) -> bool {
        ["tests/", "examples/", "fuzz/", "benches/"]
            .iter()
            .any(|it| self.file.starts_with(it) || self.file.contains(&format!("/{it}")))
    }

    /// Something wrong with the file; `name` is what an exception would be called.
    pub(crate) fn offence(&self, line: usize, what: String, name: &str) -> Offence {
        Offence { file: self.file.clone(), line, what, name: name.to_owned() }
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Every Rust file of the repository, also those that are no part of the workspace.
pub(crate) fn all() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(root(), &mut sources);
    // A walk that found nothing would approve of everything.
    assert!(sources.len() > 50, "{} files in {}", sources.len(), root().display());
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    sources
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_symlink() || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_ref()) {
                collect(&path, sources);
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let file = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy();
            sources.push(Source::new(&file.replace('\\', "/"), &text));
        }
    }
}
