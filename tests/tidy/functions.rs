//! Functions: none is longer than a screen.

use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

use crate::source::Source;
use crate::{Offence, check, check_example};

const LINES_MAX: usize = 70;

/// Functions above the bound, as `file::name`. This list only shrinks.
const LONG: &[&str] = &[];

struct Lengths<'a> {
    source: &'a Source,
    found: Vec<Offence>,
}

impl Lengths<'_> {
    fn measure(&mut self, signature: &Signature, block: &Block) {
        let first = signature.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line + 1 - first;
        if lines > LINES_MAX {
            let what = format!("`{}` has {lines} lines, {LINES_MAX} are enough", signature.ident);
            let name = format!("{}::{}", self.source.file, signature.ident);
            self.found.push(self.source.offence(first, what, &name));
        }
    }
}

impl Visit<'_> for Lengths<'_> {
    fn visit_item_fn(&mut self, it: &ItemFn) {
        self.measure(&it.sig, &it.block);
        visit::visit_item_fn(self, it);
    }

    fn visit_impl_item_fn(&mut self, it: &ImplItemFn) {
        self.measure(&it.sig, &it.block);
        visit::visit_impl_item_fn(self, it);
    }

    fn visit_trait_item_fn(&mut self, it: &TraitItemFn) {
        if let Some(block) = &it.default {
            self.measure(&it.sig, block);
        }
        visit::visit_trait_item_fn(self, it);
    }
}

fn too_long(source: &Source) -> Vec<Offence> {
    let mut lengths = Lengths { source, found: Vec::new() };
    lengths.visit_file(&source.tree);
    lengths.found
}

#[test]
fn no_function_is_too_long() {
    let of = |head: &str, lines: usize| format!("{head} {{\n{}}}\n", "();\n".repeat(lines - 2));
    check_example(too_long, "a.rs", &of("fn a()", LINES_MAX), &[]);
    check_example(too_long, "a.rs", &of("#[test]\nasync fn a()", LINES_MAX + 1), &[2]);
    for place in ["impl A", "trait A", "mod a", "fn b()"] {
        let text = format!("{place} {{\n{}}}\n", of("fn a()", LINES_MAX + 1));
        let lines: &[usize] = if place == "fn b()" { &[1, 2] } else { &[2] };
        check_example(too_long, "a.rs", &text, lines);
    }
    check(too_long, LONG);
}
