//! The msgpack parser: what it refuses, hostile inputs, placeholders and bounds, round trips.

use crate::support::{same_value, unhex};
use bytes::Bytes;
use proptest::prelude::*;
use relay_socketio::json;
use relay_socketio::msgpack::{
    Library, MsgpackError, MsgpackErrorKind, Reader, TooLarge, Value, decode, read_value,
    write_ack, write_event, write_value,
};
use relay_socketio::{
    Attachments, Body, DecodeError, DecoderLimits, EventName, Fault, Packet, Parser, Role,
};

const DEPTH_MAX: u32 = 512;

fn server(data: &[u8]) -> Result<relay_socketio::msgpack::Message, DecodeError> {
    decode(data, Role::Server, DecoderLimits::default(), DEPTH_MAX)
}

/// An event `a` with one argument that is given in hexadecimal digits.
fn event(argument: &str) -> Vec<u8> {
    unhex(&format!("83a47479706502a36e7370a12fa46461746192a161{argument}"))
}

fn encoded(json: &str, attachments: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, json, attachments, Library::Notepack, 10_000_000).expect("small enough");
    out
}

fn read(msgpack: &[u8], depth_max: u32) -> Result<Value, DecodeError> {
    read_of(msgpack, Library::Notepack, depth_max)
}

fn read_of(msgpack: &[u8], library: Library, depth_max: u32) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(msgpack, library);
    let value = read_value(&mut reader, 10, depth_max)?;
    reader.finish()?;
    Ok(value)
}

#[test]
fn for_msgpackr_wide_integers_are_floats() {
    let both = |json: &str| {
        [Library::Notepack, Library::Msgpackr].map(|library| {
            let mut out = Vec::new();
            write_value(&mut out, json, &[], library, 100).expect("short");
            out
        })
    };
    for json in ["0", "-33", "4294967295", "-2147483648", "1.5", "1e300", "9007199254740992"] {
        let [notepack, msgpackr] = both(json);
        assert_eq!(notepack, msgpackr, "{json}");
    }
    for (json, notepack, msgpackr) in [
        ("4294967296", "cf0000000100000000", "cb41f0000000000000"),
        ("-2147483649", "d3ffffffff7fffffff", "cbc1e0000000200000"),
        ("1700000000123", "cf0000018bcfe5687b", "cb4278bcfe5687b000"),
        ("9007199254740991", "cf001fffffffffffff", "cb433fffffffffffff"),
    ] {
        assert_eq!(both(json), [unhex(notepack), unhex(msgpackr)], "{json}");
    }
}

#[test]
fn of_msgpackr_no_extension_is_read_whose_contents_stand_behind_it() {
    let text = |hex: &str| read_of(&unhex(hex), Library::Msgpackr, 10).map(|it| it.json);
    for (hex, json) in [
        ("d40000", "null"),
        ("81a161d40000", "{}"),
        ("d6ff6553f100", "\"2023-11-14T22:13:20.000Z\""),
        ("d7ff1d5353006553f100", "\"2023-11-14T22:13:20.123Z\""),
        ("c70cff3b8b87c0ffffffffffffffff", "\"1969-12-31T23:59:59.999Z\""),
        ("d4ffff", "null"),
        ("d3ffffffffffffffff", "-1"),
        ("cfffffffffffffffff", "18446744073709552000"),
        ("ca3fc00000", "1.5"),
        ("924041", "[64,65]"),
    ] {
        assert_eq!(text(hex).as_deref(), Ok(json), "{hex}");
    }
    let unknown = DecodeError::NotMsgpack(MsgpackError {
        offset: 1,
        what: MsgpackErrorKind::ExtensionUnknown,
    });
    // A record, a record of many, a set, an error, a reference, a big integer, bytes of a typed
    // array, undefined in forms that it is never written in.
    for hex in [
        "92d47240",
        "92d5724000",
        "92d47300",
        "92d46500",
        "92d66900000001",
        "92c7094201",
        "92c7037401aabb",
        "92c7010000",
        "92d50000aa",
        "92d7000000000000000000",
    ] {
        let mut msgpack = unhex(hex);
        msgpack.resize(40, 0xc0);
        let read = read_of(&msgpack, Library::Msgpackr, 10);
        assert_eq!(read, Err(unknown), "{hex}");
    }
}

#[test]
fn the_first_message_tells_the_parser() {
    assert_eq!(Parser::of_first_message(true), Parser::Msgpack);
    assert_eq!(Parser::of_first_message(false), Parser::Default);
}

#[test]
fn refused_packets() {
    use DecodeError::*;
    let broken = |offset, what| NotMsgpack(MsgpackError { offset, what });
    const HEAD: usize = 20;
    for (data, expected) in [
        (vec![], Empty),
        (unhex("c1"), broken(0, MsgpackErrorKind::UnusedByte)),
        (unhex("81"), broken(0, MsgpackErrorKind::UnexpectedEnd)),
        (unhex("91c0"), UnknownType),
        (unhex("c0"), UnknownType),
        (unhex("80"), UnknownType),
        (unhex("82a47479706505a36e7370a12f"), UnknownType),
        (unhex("81a47479706500"), NamespaceInvalid),
        (unhex("82a47479706502a36e7370a12f"), PayloadMissing),
        (unhex("83a47479706500a36e7370a12fa464617461c0"), PayloadInvalid),
        (unhex("83a47479706501a36e7370a12fa464617461c0"), PayloadInvalid),
        (unhex("83a47479706504a36e7370a12fa464617461a161"), ConnectErrorFromClient),
        (unhex("83a47479706503a36e7370a12fa46461746190"), AckIdMissing),
        (unhex("84a47479706503a36e7370a12fa26964ffa46461746190"), AckIdInvalid),
        (unhex("84a47479706503a36e7370a12fa26964c0a46461746190"), AckIdInvalid),
        (unhex("84a47479706503a36e7370a12fa26964cf0020000000000000a46461746190"), AckIdTooLarge),
        (unhex("83a47479706502a36e7370a12fa46461746190"), EventNameInvalid),
        (unhex("83a47479706502a36e7370a12fa46461746191aa646973636f6e6e656374"), EventNameReserved),
        (event("c000"), broken(HEAD + 2, MsgpackErrorKind::TrailingBytes)),
        (event("c1"), broken(HEAD + 1, MsgpackErrorKind::UnusedByte)),
        (event("c402aa"), broken(HEAD + 1, MsgpackErrorKind::UnexpectedEnd)),
        (event("ddffffffff"), broken(HEAD + 1, MsgpackErrorKind::UnexpectedEnd)),
        (event("dfffffffff"), broken(HEAD + 1, MsgpackErrorKind::UnexpectedEnd)),
        (event("819000"), broken(HEAD + 2, MsgpackErrorKind::KeyInvalid)),
        (event("82c0c0"), broken(HEAD + 1, MsgpackErrorKind::UnexpectedEnd)),
        (event(&format!("9b{}", "c400".repeat(11))), TooManyAttachments),
        (event("92c40081ac5f706c616365686f6c646572c3"), PlaceholderInvalid),
    ] {
        let shown = format!("{data:02x?}");
        assert_eq!(server(&data), Err(expected), "{shown}");
        let fault = if expected == TooManyAttachments { Fault::OurLimit } else { Fault::Peer };
        assert_eq!(expected.fault(), fault);
    }
}

#[test]
fn a_packet_has_the_shape_of_the_default_decoder() {
    // What a stock client sends for `emit("a", {b: <01 02>}, undefined, ack)`.
    let data = unhex(
        "85a47479706502a46461746193a16181a162c4020102d40000\
         a76f7074696f6e7381a8636f6d7072657373c3a2696407a36e7370a22f6e",
    );
    let message = server(&data).expect("a packet");
    let Packet { namespace, body: Body::Event { id, args } } = message.packet() else {
        panic!("{message:?}")
    };
    assert_eq!((namespace, id), ("/n", Some(7)));
    assert_eq!(args.raw(), r#"["a",{"b":{"_placeholder":true,"num":0}},null]"#);
    assert_eq!(args.depth(), 3);
    assert_eq!(args.event_name(), EventName::Text(b"a".into()));
    assert_eq!(args.attachments(), Attachments::List(&[Bytes::from_static(&[1, 2])]));
}

#[test]
fn a_message_beyond_the_limit_keeps_its_text() {
    let limits = DecoderLimits { attachments_max: 10, message_bytes_max: 64 };
    let data = event(&format!("c420{}", "aa".repeat(32)));
    let message = decode(&data, Role::Server, limits, DEPTH_MAX).expect("a packet");
    let Body::Event { args, .. } = message.packet().body else { panic!("{message:?}") };
    assert_eq!(args.raw(), r#"["a",{"_placeholder":true,"num":0}]"#);
    assert_eq!(args.attachments(), Attachments::TooLarge { bytes: 35 + 32 });
}

#[test]
fn depth_is_bounded_and_no_stack() {
    let nested = |depth: usize| [vec![0x91; depth - 1], vec![0x90]].concat();
    assert_eq!(read(&nested(512), 512).map(|value| value.depth), Ok(512));
    let error = read(&nested(513), 512).unwrap_err();
    assert!(matches!(
        error,
        DecodeError::NotMsgpack(MsgpackError { what: MsgpackErrorKind::TooDeep, offset: 512 })
    ));
    assert_eq!(error.fault(), Fault::OurLimit);
    // With a limit that is none, as with what is skipped, depth costs no stack.
    let value = read(&nested(1_000_000), u32::MAX).expect("a value");
    assert_eq!(value.depth, 1_000_000);
    assert_eq!(encoded(&value.json, &[]), nested(1_000_000));
    let mut packet = unhex("84a47479706502a36e7370a12fa46461746191a161a178");
    packet.extend(nested(1_000_000));
    assert!(server(&packet).is_ok());
}

/// A quadratic algorithm would need many minutes for these: whoever waits here has one.
#[test]
fn a_megabyte_takes_linear_time() {
    const DEPTH: usize = 50_000;
    let deep = |open: &str, close: &str| format!("{}0{}", open.repeat(DEPTH), close.repeat(DEPTH));
    let keys = |count: usize, spell: &dyn Fn(usize) -> String| {
        let members: Vec<String> = (0..count).map(|i| format!("\"{}\":0", spell(i))).collect();
        format!("{{{}}}", members.join(","))
    };
    let prefix = "p".repeat(1_000);
    let texts = [
        deep("[", "]"),
        deep("{\"b\":1,\"a\":", ",\"0\":1}"),
        deep("{\"a\":1,\"a\":", "}"),
        deep("[{\"1\":[],\"0\":", ",\"\\u0031\":{}}]"),
        deep("{\"1\":\"xxxxxxxx\",\"0\":[", "]}"),
        keys(100_000, &|i| (100_000 - i).to_string()),
        keys(100_000, &|_| "same".to_owned()),
        keys(1_000, &|i| format!("{prefix}{i}")),
        keys(100_000, &|i| format!("\\u0061{i}")),
        format!("[{}0]", "1.5,".repeat(1 << 18)),
        format!("[{}0]", "{},".repeat(1 << 18)),
        format!("\"{}\"", "\\ud800".repeat(1 << 17)),
    ];
    for text in texts {
        assert!(json::check(&text).is_ok());
        let mut out = Vec::new();
        let bytes_max = text.len() * 9 / 4 + 8;
        write_value(&mut out, &text, &[Bytes::new()], Library::Notepack, bytes_max)
            .expect("of bounded size");
        let value = read(&out, u32::MAX).expect("a value");
        assert_eq!(encoded(&value.json, &[]), out);
    }
    for part in ["a161d40000", "a961616161616161615f", "a95f5f70726f746f5f5f9190"] {
        let count = 60_000u32;
        let value = if part.starts_with("a96") { "c0" } else { "" };
        let map = format!("df{count:08x}{}", format!("{part}{value}").repeat(60_000));
        assert!(read(&unhex(&map), 16).is_ok());
    }
}

#[test]
fn what_notepack_gets_wrong_is_written_right() {
    for (json, expected) in [
        ("9007199254740992", "cb4340000000000000"),
        ("-9007199254740992", "cbc340000000000000"),
        ("1e21", "cb444b1ae4d6e2ef50"),
        ("18446744073709551616", "cb43f0000000000000"),
        ("1e400", "cb7ff0000000000000"),
        ("-1e400", "cbfff0000000000000"),
        ("\"\\ud800\"", "a3efbfbd"),
        ("\"a\\udc00\\ud800b\"", "a861efbfbdefbfbd62"),
        ("\"\\ud83d\\ude00\\u00ed\"", "a6f09f9880c3ad"),
        ("{\"\\ud800\":0}", "81a3efbfbd00"),
    ] {
        assert_eq!(encoded(json, &[]), unhex(expected), "{json}");
    }
}

#[test]
fn placeholders_become_binaries() {
    let attachments = [Bytes::from_static(b"\xaa"), Bytes::new()];
    for (json, expected) in [
        (r#"{"_placeholder":true,"num":0}"#, "c401aa"),
        (r#" [ { "num" : 1 , "_placeholder" : true } , 5 ] "#, "92c40005"),
        (r#"[{"_placeholder":true,"num":0,"x":[[{}],1]},{"a":[]}]"#, "92c401aa81a16190"),
        (r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#, "92c401aac401aa"),
        (r#"{"_placeholder":true,"num":7,"n\u0075m":1e0}"#, "c400"),
        // In JavaScript's order, with the containers behind them in step.
        (
            r#"{"b":{"_placeholder":true,"num":1,"z":[]},"1":[{}],"0":{"_placeholder":true,"num":0}}"#,
            "83a130c401aaa1319180a162c400",
        ),
        // The one that counts says otherwise, or the decoder would have refused it.
        (r#"{"_placeholder":true,"_placeholder":1}"#, "81ac5f706c616365686f6c64657201"),
        (r#"{"_placeholder":true}"#, "81ac5f706c616365686f6c646572c3"),
        (r#"[{"num":0}]"#, "9181a36e756d00"),
    ] {
        assert!(json::check(json).is_ok());
        assert_eq!(encoded(json, &attachments), unhex(expected), "{json}");
    }
    let plain = r#"{"_placeholder":true,"num":0}"#;
    assert_eq!(encoded(plain, &[]), unhex("82ac5f706c616365686f6c646572c3a36e756d00"));
}

#[test]
fn a_repeated_placeholder_cannot_exceed_the_bound() {
    let placeholders = vec![r#"{"_placeholder":true,"num":0}"#; 10_000].join(",");
    let args = format!("[\"a\",{placeholders}]");
    let attachments = [Bytes::from(vec![0; 100_000])];
    let mut out = b"before".to_vec();
    assert_eq!(
        write_value(&mut out, &args, &attachments, Library::Notepack, 4_000_000),
        Err(TooLarge)
    );
    assert_eq!(write_event(&mut out, "/", None, &args, &attachments, 4_000_000), Err(TooLarge));
    assert_eq!(write_ack(&mut out, "/", 1, "[1]", &[], 20), Err(TooLarge));
    assert_eq!(out, b"before");
    assert!(out.capacity() < 8_000_000);
    assert_eq!(write_ack(&mut out, "/", 1, "[1]", &[], 24), Ok(()));
}

/// JSON values whose strings and keys are short and often the same.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-200i64..70_000).prop_map(Into::into),
        ".{0,40}".prop_map(Into::into),
    ];
    scalar.prop_recursive(6, 128, 24, |inner| {
        let key = prop_oneof!["[a-c0-9]{0,3}", any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..24).prop_map(Into::into),
            prop::collection::vec((key, inner), 0..24)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_survive(value in any_json()) {
        let json = value.to_string();
        let first = encoded(&json, &[]);
        let value = read(&first, DEPTH_MAX).unwrap();
        prop_assert_eq!(json::check(&value.json).unwrap().depth, value.depth);
        prop_assert!(same_value(&value.json, &json, &[]), "{} {}", json, value.json);
        prop_assert_eq!(encoded(&value.json, &[]), first);
    }

    #[test]
    fn packets_survive(
        namespace in "/[a-z,é]{0,40}",
        id in prop::option::of(0..=relay_socketio::decoder::ACK_ID_MAX),
        value in any_json(),
        attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..10),
    ) {
        let attachments: Vec<Bytes> = attachments.into_iter().map(Bytes::from).collect();
        let mut args = format!("[\"name\",{value}");
        for num in 0..attachments.len() {
            args.push_str(&format!(",{{\"_placeholder\":true,\"num\":{num}}}"));
        }
        args.push(']');
        let mut out = Vec::new();
        match id {
            Some(id) if id % 2 == 0 => write_ack(&mut out, &namespace, id, &args, &attachments, 1 << 20),
            _ => write_event(&mut out, &namespace, id, &args, &attachments, 1 << 20),
        }.unwrap();
        let message = server(&out).unwrap();
        let packet = message.packet();
        prop_assert_eq!(packet.namespace, namespace);
        let (decoded_id, decoded) = match packet.body {
            Body::Event { id, args } => (id, args),
            Body::Ack { id, args } => (Some(id), args),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(decoded_id, id);
        prop_assert_eq!(decoded.attachments(), Attachments::List(&attachments));
        prop_assert!(same_value(decoded.raw(), &args, &[]));
    }

    #[test]
    fn truncated_packets_are_refused(value in any_json(), cut in any::<prop::sample::Index>()) {
        let mut out = Vec::new();
        write_event(&mut out, "/", Some(5), &format!("[\"a\",{value}]"), &[], 1 << 20).unwrap();
        prop_assert!(server(&out).is_ok());
        prop_assert!(server(&out[..cut.index(out.len())]).is_err());
    }
}
