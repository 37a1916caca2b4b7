//! Wire words: what Relay's clients say is known to the gateway alone.
//!
//! A word counts where the program could act on it: in a string literal. Comments may speak of it,
//! tests and the load generator must.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, LitByteStr, LitCStr, LitStr, Macro};

use crate::source::Source;
use crate::{Offence, check, check_example};

const WORDS: [&str; 10] = [
    "yo",
    "ustedes",
    "nosotros",
    "identificar",
    "unirse",
    "salir",
    "notificar",
    "destino",
    "usuario",
    "tipo",
];

/// Where they belong.
const HOMES: [&str; 2] = ["crates/gateway/", "crates/bench/"];

struct Literals<'a> {
    source: &'a Source,
    found: Vec<Offence>,
}

impl Literals<'_> {
    fn look(&mut self, value: &str, line: usize) {
        let is_letter = |c: char| c.is_alphanumeric() || c == '_';
        for word in value.split(|c| !is_letter(c)).filter(|it| WORDS.contains(it)) {
            let what = format!("the wire word `{word}` belongs to crates/gateway");
            self.found.push(self.source.offence(line, what, &self.source.file));
        }
    }

    /// The arguments of a macro are not parsed: `syn` does not know what it makes of them.
    fn look_into(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.look_into(group.stream()),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    self.look(&literal.to_string(), line);
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl Visit<'_> for Literals<'_> {
    fn visit_item_mod(&mut self, it: &ItemMod) {
        let is_test = |it: &Attribute| {
            it.path().is_ident("cfg") && it.parse_args().is_ok_and(|it: syn::Ident| it == "test")
        };
        if !it.attrs.iter().any(is_test) {
            visit::visit_item_mod(self, it);
        }
    }

    // A comment in front of an item is an attribute to the parser.
    fn visit_attribute(&mut self, _: &Attribute) {}

    fn visit_macro(&mut self, it: &Macro) {
        self.look_into(it.tokens.clone());
    }

    fn visit_lit_str(&mut self, it: &LitStr) {
        self.look(&it.value(), it.span().start().line);
    }

    fn visit_lit_byte_str(&mut self, it: &LitByteStr) {
        self.look(&String::from_utf8_lossy(&it.value()), it.span().start().line);
    }

    fn visit_lit_cstr(&mut self, it: &LitCStr) {
        self.look(&it.value().to_string_lossy(), it.span().start().line);
    }
}

fn strayed(source: &Source) -> Vec<Offence> {
    if source.is_test() || HOMES.iter().any(|it| source.file.starts_with(it)) {
        return Vec::new();
    }
    let mut literals = Literals { source, found: Vec::new() };
    literals.visit_file(&source.tree);
    literals.found
}

#[test]
fn wire_words_live_in_the_gateway_alone() {
    let hub = "crates/hub/src/a.rs";
    for literal in ["\"yo\"", "r#\"{\"destino\":\"x\"}\"#", "b\"usuario\"", "format!(\"~{tipo}\")"]
    {
        let text = format!("fn a() {{\n    b({literal});\n}}\n");
        check_example(strayed, hub, &text, &[2]);
        check_example(strayed, "crates/gateway/src/a.rs", &text, &[]);
        check_example(strayed, "crates/hub/tests/a.rs", &text, &[]);
        check_example(strayed, hub, &format!("#[cfg(test)]\nmod a {{ {text} }}"), &[]);
    }
    check_example(strayed, hub, "/// `yo`\nfn yo() { b(\"yoyo\", \"no_tipo\", \"rooms\") }", &[]);
    check(strayed, &[]);
}
