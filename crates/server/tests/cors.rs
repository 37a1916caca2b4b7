//! Cross-origin rules against what the npm package `cors` answered, and their settings.
//!
//! `golden/generate.mjs` wrote the file.

use std::time::Duration;

use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY};
use relay_server::{Cors, CorsError, CorsOptions, Origin};
use serde_json::Value;

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().expect("a list");
    list.iter().map(|it| it.as_str().expect("a text").to_owned()).collect()
}

/// The options of the package in the words of this crate.
fn options(stock: &Value) -> CorsOptions {
    let npm_methods = || "GET,HEAD,PUT,PATCH,POST,DELETE".split(',').map(str::to_owned).collect();
    CorsOptions {
        origin: match &stock["origin"] {
            Value::Bool(true) => Origin::Reflect,
            Value::String(any) if any == "*" => Origin::Any,
            Value::String(one) => Origin::Fixed(one.clone()),
            list => Origin::List(texts(list)),
        },
        methods: stock.get("methods").map_or_else(npm_methods, texts),
        credentials: stock["credentials"] == true,
        allowed_headers: stock.get("allowedHeaders").map(texts),
        exposed_headers: stock.get("exposedHeaders").map(texts).unwrap_or_default(),
        max_age: stock.get("maxAge").and_then(Value::as_u64).map(Duration::from_secs),
    }
}

/// One value or several as header fields.
fn append(fields: &mut HeaderMap, name: &str, value: &Value) {
    let name: HeaderName = name.parse().expect("a field's name");
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for value in values {
        let value = value.as_str().expect("a text");
        fields.append(&name, HeaderValue::from_str(value).expect("a field's value"));
    }
}

/// The fields in their order; several `Vary` are one list.
fn shown(fields: &HeaderMap) -> Vec<(String, String)> {
    let join = |name: &HeaderName| {
        let values = fields.get_all(name).iter().map(|it| it.to_str().expect("plain ASCII"));
        (name.to_string(), values.collect::<Vec<_>>().join(", "))
    };
    fields.keys().map(join).collect()
}

#[test]
fn answers_are_the_stock_packages() {
    let (mut answers, mut refused) = (0, 0);
    for line in include_str!("golden/cors.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("golden line");
        let cors = match Cors::new(&options(&case["options"])) {
            Ok(cors) => cors,
            Err(error) => {
                // The package sends what every browser refuses.
                let (origin, credentials) =
                    (&case["options"]["origin"], &case["options"]["credentials"]);
                assert_eq!(error, CorsError::AnyWithCredentials, "{line}");
                assert!(*origin == "*" && *credentials == true, "{line}");
                refused += 1;
                continue;
            }
        };
        let (mut request, mut before, mut expected) =
            (HeaderMap::new(), HeaderMap::new(), HeaderMap::new());
        for (name, value) in case["request"].as_object().expect("fields") {
            append(&mut request, name, value);
        }
        if let Some(vary) = case.get("vary") {
            append(&mut before, "vary", vary);
        }
        for field in case["fields"].as_array().expect("fields") {
            append(&mut expected, field[0].as_str().expect("a name"), &field[1]);
        }
        let found = if case["method"] == "OPTIONS" {
            assert_eq!(case["status"], 204, "{line}");
            // A 204 must not have it.
            expected.remove(CONTENT_LENGTH);
            cors.preflight(&request)
        } else {
            cors.decorate(&request, &mut before);
            before
        };
        assert_eq!(shown(&found), shown(&expected), "{line}");
        answers += 1;
    }
    assert!(answers > 1_000 && refused > 50, "{answers} {refused}");
}

#[test]
fn options_that_no_browser_accepts_are_refused() {
    let check = |options: CorsOptions, expected: &str| {
        let error = Cors::new(&options).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    let base = CorsOptions::default;
    check(CorsOptions { credentials: true, ..base() }, "name the origins");
    check(CorsOptions { origin: Origin::Fixed("*".into()), ..base() }, "stands alone");
    let list = ["https://a.example", "https://b.example/"].map(str::to_owned).to_vec();
    check(CorsOptions { origin: Origin::List(list), ..base() }, "\"https://b.example/\"");
    for method in ["", "get", "A B", "G\nET", "GET,POST", "É"] {
        let methods = vec!["GET".to_owned(), method.to_owned()];
        check(CorsOptions { methods, ..base() }, &format!("{method:?} is no method"));
    }
    for name in ["", "A B", "A,B", "é", "a\r\nb"] {
        let names = vec![name.to_owned()];
        let expected = format!("{name:?} is no name");
        check(CorsOptions { allowed_headers: Some(names.clone()), ..base() }, &expected);
        check(CorsOptions { exposed_headers: names, ..base() }, &expected);
    }
}

#[test]
fn the_same_rules_guard_upgrades() {
    let list = ["https://a.example", "https://b.example"].map(str::to_owned).to_vec();
    let rows = [
        (Origin::Any, [true, true, true, true, true]),
        (Origin::Reflect, [true, true, true, true, true]),
        (Origin::Fixed("https://a.example".into()), [true, true, false, false, false]),
        (Origin::List(list), [true, true, true, false, false]),
        (Origin::List(Vec::new()), [true, false, false, false, false]),
    ];
    let asking =
        [None, Some("https://a.example"), Some("https://b.example"), Some("null"), Some("")];
    for (origin, expected) in rows {
        let cors = Cors::new(&CorsOptions { origin, ..CorsOptions::default() }).expect("rules");
        let found = asking.map(|it| cors.allows_upgrade(it.map(HeaderValue::from_static).as_ref()));
        assert_eq!(found, expected, "{cors:?}");
    }
}

#[test]
fn several_fields_of_a_name_are_one_value() {
    let mut request = HeaderMap::new();
    let reflect = CorsOptions { origin: Origin::Reflect, ..CorsOptions::default() };
    let reflect = Cors::new(&reflect).expect("rules");
    append(&mut request, "access-control-request-headers", &serde_json::json!(["a", "b"]));
    let preflight = reflect.preflight(&request);
    assert_eq!(preflight["access-control-allow-headers"], "a, b");
    // Two origins are none of a list, whichever stands first.
    let list = Origin::List(vec!["https://a.example".to_owned()]);
    let list = Cors::new(&CorsOptions { origin: list, ..CorsOptions::default() }).expect("rules");
    let origins = serde_json::json!(["https://a.example", "https://evil.example"]);
    append(&mut request, ORIGIN.as_str(), &origins);
    let mut answer = HeaderMap::new();
    list.decorate(&request, &mut answer);
    assert_eq!(shown(&answer), [(VARY.to_string(), "Origin".to_owned())]);
}

/// `CORS_ORIGIN`, `CORS_METHODS`, `CORS_CREDENTIALS`.
type Settings<'a> = [Option<&'a str>; 3];

#[track_caller]
fn check_settings([origin, methods, credentials]: Settings<'_>, expected: Option<CorsOptions>) {
    let found = Cors::from_settings(origin, methods, credentials).expect("valid settings");
    let expected = expected.map(|options| Cors::new(&options).expect("valid options"));
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}

#[test]
fn settings_become_options() {
    let base = CorsOptions::default;
    let a = || "https://a.example".to_owned();
    let list = || Origin::List(vec![a(), "http://localhost:3000".to_owned()]);
    let pair = "https://a.example , http://localhost:3000";
    let named = CorsOptions { origin: Origin::Fixed(a()), credentials: true, ..base() };
    let methods = ["GET", "PUT", "X-SYNC"].map(str::to_owned).to_vec();
    check_settings([None, None, None], Some(base()));
    check_settings([Some(""), Some(" "), Some("")], Some(base()));
    check_settings([Some("*"), Some("GET,POST"), Some("false")], Some(base()));
    check_settings([Some("https://a.example"), None, Some("true")], Some(named));
    check_settings([Some(pair), None, None], Some(CorsOptions { origin: list(), ..base() }));
    check_settings([None, Some("GET, PUT ,X-SYNC"), None], Some(CorsOptions { methods, ..base() }));
    check_settings([Some("false"), None, None], None);
    check_settings([Some("false"), Some("GET"), Some("true")], None);
}

#[track_caller]
fn check_wrong([origin, methods, credentials]: Settings<'_>, expected: &[&str]) {
    let wrong = Cors::from_settings(origin, methods, credentials).expect_err("wrong settings");
    assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
    for (wrong, part) in wrong.iter().zip(expected) {
        assert!(wrong.starts_with("CORS_") && wrong.contains(part), "{wrong}");
    }
}

#[test]
fn what_is_wrong_with_settings_is_named_all_at_once() {
    let refuse = "refuse credentials";
    check_wrong([None, None, Some("true")], &[refuse]);
    check_wrong([Some("*"), None, Some("true")], &["CORS_ORIGIN=*: browsers refuse credentials"]);
    check_wrong([None, None, Some("yes")], &["CORS_CREDENTIALS=yes: true or false"]);
    check_wrong([Some("true"), None, None], &["\"true\" is no origin"]);
    check_wrong([Some("null"), None, None], &["\"null\" is no origin"]);
    check_wrong([Some("https://a.example/"), None, None], &["without a slash"]);
    check_wrong([Some("https://a.example,*"), None, Some("true")], &["* stands alone"]);
    check_wrong([Some("https://a.example,"), None, None], &["\"\" is no origin"]);
    check_wrong([None, Some("get,POST"), None], &["CORS_METHODS=get,POST: \"get\" is no method"]);
    check_wrong([None, Some("GET,,POST"), None], &["\"\" is no method"]);
    check_wrong([Some("false"), Some("get"), None], &["\"get\""]);
    check_wrong(
        [Some("x,HTTP://b,https://c"), Some("get"), Some("1")],
        &["=1", "get", "\"x\"", "HTTP://b"],
    );
}
