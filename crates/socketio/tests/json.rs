//! JSON: verdicts, places of errors, walking, strings, and inputs of hostile size.

use std::fmt::Write as _;

use proptest::prelude::*;
use relay_socketio::json::{
    self, Checked, JsonError, JsonErrorKind, Kind, check, elements, kind, members, number,
    string_is, trim, unescape, write_string, write_string_wtf8,
};

#[test]
fn errors_say_what_and_where() {
    use JsonErrorKind::*;
    for (text, offset, what) in [
        ("", 0, UnexpectedEnd),
        ("  ", 2, UnexpectedEnd),
        ("[1,2", 4, UnexpectedEnd),
        ("\"abc", 4, UnexpectedEnd),
        ("[1,]", 3, UnexpectedCharacter),
        ("[1}", 2, UnexpectedCharacter),
        ("{\"a\":1,}", 7, UnexpectedCharacter),
        ("{} {}", 3, UnexpectedCharacter),
        ("nul", 0, UnexpectedCharacter),
        ("\u{feff}1", 0, UnexpectedCharacter),
        ("01", 1, InvalidNumber),
        ("[-]", 2, InvalidNumber),
        ("1.", 2, InvalidNumber),
        ("\"\\x\"", 1, InvalidEscape),
        ("\"\\u12g4\"", 1, InvalidEscape),
        ("\"a\nb\"", 2, ControlCharacter),
    ] {
        assert_eq!(check(text), Err(JsonError { offset, what }), "{text:?}");
    }
}

#[test]
fn kind_and_depth() {
    for (text, kind, depth) in [
        ("null", Kind::Null, 0),
        (" true ", Kind::Bool, 0),
        ("-1e400", Kind::Number, 0),
        ("\"[[\"", Kind::String, 0),
        ("[]", Kind::Array, 1),
        ("{}", Kind::Object, 1),
        ("[{}]", Kind::Array, 2),
        ("[[],[[]],[]]", Kind::Array, 3),
        ("{\"a\":{\"b\":[0]},\"c\":0}", Kind::Object, 3),
    ] {
        assert_eq!(check(text), Ok(Checked { kind, depth }), "{text:?}");
        assert_eq!(json::kind(trim(text)), kind);
    }
}

#[test]
fn depth_is_a_number_not_a_stack() {
    const DEPTH: usize = 1_000_000;
    let mut text = "[".repeat(DEPTH);
    assert_eq!(check(&text).map_err(|error| error.what), Err(JsonErrorKind::UnexpectedEnd));
    text.push_str(&"]".repeat(DEPTH));
    assert_eq!(check(&text), Ok(Checked { kind: Kind::Array, depth: 1_000_000 }));
    assert_eq!(elements(&text).next().map(str::len), Some(2 * DEPTH - 2));
    // Alternating containers, so that a lost bit of the nesting would be noticed.
    let mut text = "[{\"\":".repeat(DEPTH);
    text.push('0');
    text.push_str(&"}]".repeat(DEPTH));
    assert_eq!(check(&text), Ok(Checked { kind: Kind::Array, depth: 2_000_000 }));
    text.replace_range(text.len() - 2.., "]}");
    assert!(check(&text).is_err());
}

/// A quadratic algorithm would need many minutes for these: whoever waits here has one.
#[test]
fn a_megabyte_takes_linear_time() {
    let long = "x".repeat(1 << 20);
    let escapes = "\\u0041".repeat(1 << 17);
    let many = "\"a\",".repeat(1 << 18);
    let digits = "9".repeat(1 << 20);
    let invalid = vec![0xff; 1 << 20];
    for text in [format!("\"{long}\""), format!("\"{escapes}\""), digits, format!("[{many}0]")] {
        assert!(check(&text).is_ok());
        elements(&text).for_each(drop);
        unescape(&text);
        number(&text);
    }
    write_string_wtf8(&mut Vec::new(), &invalid);
}

#[test]
fn arrays_and_objects_come_apart() {
    let array = " [ 1 , \"a,]\" , [ 2 , [ ] ] , { \"k\" : [ \"}\" ] } , null ] ";
    let parts: Vec<_> = elements(array).collect();
    assert_eq!(parts, ["1", "\"a,]\"", "[ 2 , [ ] ]", "{ \"k\" : [ \"}\" ] }", "null"]);
    assert_eq!(elements("[]").count() + elements(" [ ] ").count(), 0);

    let object = "{ \"a\" : 1 , \"\\u0061\":{\"b\":2},\"\": \"x\\\"\" }";
    let parts: Vec<_> = members(object).collect();
    assert_eq!(parts, [("\"a\"", "1"), ("\"\\u0061\"", "{\"b\":2}"), ("\"\"", "\"x\\\"\"")]);
    assert_eq!(members("{ }").count(), 0);
}

#[test]
fn unchecked_text_ends_early() {
    for (text, count) in [
        ("", 0),
        ("{}", 0),
        ("[", 0),
        ("[,", 0),
        ("[1", 1),
        ("[1 2", 1),
        ("[1,", 1),
        ("[1,\"", 1),
        ("[1,[", 1),
        ("[é", 0),
        ("[1}", 1),
    ] {
        assert_eq!(elements(text).count(), count, "{text:?}");
    }
    for (text, count) in
        [("", 0), ("[]", 0), ("{1:2}", 0), ("{\"a\"", 0), ("{\"a\":", 0), ("{\"a\":1", 1)]
    {
        assert_eq!(members(text).count(), count, "{text:?}");
    }
    for text in ["", "\"", "\\", "\"\\", "\"\\u", "\"\\u12\"", "\"\\ud800\\u", "\"\\ud800\\u1\""] {
        unescape(text);
        string_is(text, "a");
    }
    assert_eq!(kind(""), Kind::Null);
    assert!(number("x").is_nan() && number("inf").is_nan() && number("").is_nan());
}

#[test]
fn strings_are_compared_by_their_meaning() {
    for (raw, expected, same) in [
        ("\"destino\"", "destino", true),
        ("\"dest\\u0069no\"", "destino", true),
        ("\"\\u0064\\u0065\\u0073\\u0074\\u0069\\u006e\\u006f\"", "destino", true),
        ("\"destinO\"", "destino", false),
        ("\"destino \"", "destino", false),
        ("\"\"", "", true),
        ("\"\\\\n\"", "\\n", true),
        ("\"\\n\"", "\\n", false),
        ("\"\\n\"", "\n", true),
        ("\"\\ud83d\\ude00\"", "😀", true),
        ("\"\\ud83d\"", "\u{fffd}", false),
        ("\"\\/\"", "/", true),
    ] {
        assert_eq!(string_is(raw, expected), same, "{raw} {expected:?}");
    }
}

#[test]
fn surrogates_survive_and_rubbish_is_replaced() {
    for (wtf8, written) in [
        (&b"a\xed\xa0\x80b"[..], "\"a\\ud800b\""),
        (b"\xed\xbf\xbf", "\"\\udfff\""),
        (b"\xed\xa0", "\"\u{fffd}\u{fffd}\""),
        (b"\xff\x00\x7f", "\"\u{fffd}\\u0000\u{7f}\""),
        (b"\xf0\x9f\x98", "\"\u{fffd}\""),
        ("\u{2028}\u{8}\u{c}é".as_bytes(), "\"\u{2028}\\b\\fé\""),
    ] {
        let mut out = Vec::new();
        write_string_wtf8(&mut out, wtf8);
        assert_eq!(String::from_utf8(out).unwrap(), written);
    }
    assert_eq!(*unescape("\"\\ud800\\ud83d\\ude00\""), *b"\xed\xa0\x80\xf0\x9f\x98\x80");
}

#[test]
fn numbers_are_doubles() {
    assert_eq!(number("1e400"), f64::INFINITY);
    assert_eq!(number("-1e400"), f64::NEG_INFINITY);
    assert!(number("-0").is_sign_negative() && number("-0") == 0.0);
    assert_eq!(number("123456789012345678901234567890"), 1.2345678901234568e29);
}

/// JSON text with white space and spelling chosen at random, nested a few levels.
fn any_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<i64>().prop_map(|n| n.to_string()),
        any_string(),
    ];
    scalar.prop_recursive(6, 64, 6, |inner| {
        let space = "[ \t\r\n]{0,2}";
        let array = (space, prop::collection::vec((inner.clone(), space), 0..6))
            .prop_map(|(space, parts)| list(&space, '[', ']', &parts));
        let member = (any_string(), space, inner, space)
            .prop_map(|(key, space, value, after)| (format!("{key}{space}:{value}"), after));
        let object = (space, prop::collection::vec(member, 0..6))
            .prop_map(|(space, parts)| list(&space, '{', '}', &parts));
        prop_oneof![array, object]
    })
}

fn list(space: &str, open: char, close: char, parts: &[(String, String)]) -> String {
    let parts: Vec<_> = parts.iter().map(|(part, after)| format!("{space}{part}{after}")).collect();
    format!("{open}{space}{}{close}", parts.join(","))
}

/// A JSON string in which some characters are escaped although they need not be.
fn any_string() -> impl Strategy<Value = String> {
    prop::collection::vec((any::<char>(), 0..4u8), 0..12).prop_map(|chars| {
        let mut raw = "\"".to_owned();
        for (c, escaped) in chars {
            if escaped == 0 || c < ' ' || c == '"' || c == '\\' {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(raw, "\\u{unit:04x}").unwrap();
                }
            } else {
                raw.push(c);
            }
        }
        raw + "\""
    })
}

proptest! {
    #[test]
    fn valid_json_passes_and_comes_apart(text in any_json()) {
        let checked = check(&text).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        match value {
            serde_json::Value::Array(values) => {
                let parts: Vec<serde_json::Value> =
                    elements(&text).map(|raw| serde_json::from_str(raw).unwrap()).collect();
                prop_assert_eq!(checked.kind, Kind::Array);
                prop_assert_eq!(parts, values);
            }
            serde_json::Value::Object(values) => {
                let parts: serde_json::Map<String, serde_json::Value> = members(&text)
                    .map(|(key, raw)| {
                        let key = String::from_utf8(unescape(key).into_owned()).unwrap();
                        (key, serde_json::from_str(raw).unwrap())
                    })
                    .collect();
                prop_assert_eq!(checked.kind, Kind::Object);
                prop_assert_eq!(parts, values);
            }
            _ => prop_assert_eq!(checked.depth, 0),
        }
    }

    #[test]
    fn truncated_json_is_refused(text in any_json(), cut in any::<prop::sample::Index>()) {
        // A number may be cut into a number.
        prop_assume!(kind(&text) != Kind::Number);
        let mut at = cut.index(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        prop_assert!(check(&text[..at]).is_err());
    }

    #[test]
    fn strings_mean_what_another_reader_says(raw in any_string()) {
        let expected: String = serde_json::from_str(&raw).unwrap();
        prop_assert_eq!(&*unescape(&raw), expected.as_bytes());
        prop_assert!(string_is(&raw, &expected));
    }

    #[test]
    fn written_strings_are_read_back(text in any::<String>()) {
        let mut out = Vec::new();
        write_string(&mut out, &text);
        let raw = String::from_utf8(out).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), text.clone());
        prop_assert_eq!(&*unescape(&raw), text.as_bytes());
        let mut again = Vec::new();
        write_string_wtf8(&mut again, text.as_bytes());
        prop_assert_eq!(again, raw.into_bytes());
    }
}
