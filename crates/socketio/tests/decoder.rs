//! The decoder: what it refuses, what it holds while attachments are awaited, round trips.

use std::borrow::Cow;

use proptest::prelude::*;
use relay_socketio::packet::{write_ack_header, write_event_header};
use relay_socketio::{
    Attachments, Body, DecodeError, Decoder, DecoderLimits, EventName, Fault, Packet, Role,
};

fn server() -> Decoder {
    Decoder::new(Role::Server, DecoderLimits::default())
}

fn small(message_bytes_max: usize) -> Decoder {
    Decoder::new(Role::Server, DecoderLimits { attachments_max: 10, message_bytes_max })
}

#[test]
fn refused_texts() {
    use DecodeError::*;
    for (text, expected) in [
        ("", Empty),
        ("7", UnknownType),
        ("é", UnknownType),
        ("0[]", PayloadInvalid),
        ("0null", PayloadInvalid),
        ("0 {}", PayloadInvalid),
        ("1{}", PayloadInvalid),
        ("1/admin,[]", PayloadInvalid),
        ("2", PayloadMissing),
        ("212", PayloadMissing),
        ("2/admin", PayloadMissing),
        ("2{}", PayloadInvalid),
        ("2[]", EventNameInvalid),
        ("2[null]", EventNameInvalid),
        ("2[[\"a\"]]", EventNameInvalid),
        ("2[\"disconnecting\"]", EventNameReserved),
        ("2[\"\\u0063onnect\"]", EventNameReserved),
        ("29007199254740992[\"a\"]", AckIdTooLarge),
        ("299999999999999999999999999[\"a\"]", AckIdTooLarge),
        ("3", PayloadMissing),
        ("312", PayloadMissing),
        ("3[]", AckIdMissing),
        ("312{}", PayloadInvalid),
        ("4{\"message\":\"x\"}", ConnectErrorFromClient),
        ("5", AttachmentCountInvalid),
        ("5-[\"a\"]", AttachmentCountInvalid),
        ("50-[\"a\"]", AttachmentCountInvalid),
        ("5-1-[\"a\"]", AttachmentCountInvalid),
        ("51[\"a\"]", AttachmentCountInvalid),
        ("51-", PayloadMissing),
        ("511-[\"a\"]", TooManyAttachments),
        ("599999999999999999999-[\"a\"]", TooManyAttachments),
        ("51-[\"a\",{\"_placeholder\":true}]", PlaceholderInvalid),
        ("51-[\"a\",{\"_placeholder\":true,\"num\":1}]", PlaceholderInvalid),
        ("61-1[{\"_placeholder\":true,\"num\":\"0\"}]", PlaceholderInvalid),
    ] {
        assert_eq!(server().text(text), Err(expected), "{text}");
        let fault = if expected == TooManyAttachments { Fault::OurLimit } else { Fault::Peer };
        assert_eq!(expected.fault(), fault);
    }
    for text in ["2abc[\"a\"]", "2[\"a\"]x", "2[\"a\"", "2[\"a\",]", "4abc", "0{"] {
        let error = Decoder::new(Role::Client, DecoderLimits::default()).text(text).unwrap_err();
        assert!(matches!(error, PayloadNotJson(_)), "{text}: {error}");
    }
}

#[test]
fn a_connect_error_is_for_clients() {
    let mut decoder = Decoder::new(Role::Client, DecoderLimits::default());
    let packet = decoder.text("4/x,{\"message\":\"no\"}").unwrap().unwrap();
    assert_eq!(packet.namespace, "/x");
    assert_eq!(packet.body, Body::ConnectError { payload: "{\"message\":\"no\"}" });
    assert_eq!(decoder.text("4"), Err(DecodeError::PayloadMissing));
    assert_eq!(decoder.text("4[]"), Err(DecodeError::PayloadInvalid));
}

#[test]
fn namespaces_need_no_comma() {
    for (text, namespace) in
        [("0", "/"), ("0/random", "/random"), ("0/a?b=1,", "/a?b=1"), ("0/,", "/")]
    {
        let mut decoder = server();
        let packet = decoder.text(text).unwrap().unwrap();
        assert_eq!((packet.namespace, packet.body), (namespace, Body::Connect { auth: None }));
    }
}

#[test]
fn events_have_names() {
    for (text, expected) in [
        ("2[\"relay\",1]", EventName::Text(Cow::Borrowed(b"relay"))),
        ("2[\"rel\\u0061y\"]", EventName::Text(Cow::Borrowed(b"relay"))),
        ("2[\"\\ud800\"]", EventName::Text(Cow::Borrowed(b"\xed\xa0\x80"))),
        ("2[ 17 ] ", EventName::Number("17")),
    ] {
        let mut decoder = server();
        let Some(Packet { body: Body::Event { args, .. }, .. }) = decoder.text(text).unwrap()
        else {
            panic!("{text} is an event");
        };
        assert_eq!(args.event_name(), expected);
    }
    assert!(EventName::Text(Cow::Borrowed(b"relay")).is("relay"));
    assert!(EventName::Number("17").is("17") && !EventName::Number("17").is("1"));
}

#[test]
fn memory_is_held_only_while_attachments_are_awaited() {
    let mut decoder = server();
    assert_eq!(decoder.pending_bytes(), 0);
    assert_eq!(decoder.text("52-[\"a\"]"), Ok(None));
    let after_text = decoder.pending_bytes();
    assert!(after_text < 512, "an announced count allocates nothing: {after_text}");
    assert_eq!(decoder.binary(&[7; 1000]), Ok(None));
    assert!(decoder.awaits_attachments() && decoder.pending_bytes() > 1000);
    let packet = decoder.binary(&[]).unwrap().unwrap();
    let Body::Event { args, .. } = packet.body else { panic!("an event") };
    let Attachments::List(list) = args.attachments() else { panic!("a list") };
    assert_eq!(list.iter().map(bytes::Bytes::len).collect::<Vec<_>>(), [1000, 0]);
    assert!(!decoder.awaits_attachments() && decoder.pending_bytes() > 1000);
    decoder.clear();
    assert_eq!(decoder.pending_bytes(), 0);
}

#[test]
fn text_and_binary_out_of_turn_are_refused() {
    let mut decoder = server();
    assert_eq!(decoder.binary(b"x"), Err(DecodeError::UnexpectedBinary));
    assert_eq!(decoder.text("51-[\"a\"]"), Ok(None));
    assert_eq!(decoder.text("2[\"a\"]"), Err(DecodeError::TextWhileAttachmentsAwaited));
    assert_eq!(decoder.pending_bytes(), 0);
    assert_eq!(decoder.text("51-[\"a\"]"), Ok(None));
    assert!(decoder.binary(b"x").unwrap().is_some());
    assert_eq!(decoder.binary(b"x"), Err(DecodeError::UnexpectedBinary));
}

#[test]
fn a_message_too_large_keeps_its_text_and_nothing_else() {
    let mut decoder = small(100);
    assert_eq!(decoder.text("53-/n,7[\"upload\"]"), Ok(None));
    assert_eq!(decoder.binary(&[0; 60]), Ok(None));
    assert_eq!(decoder.binary(&[0; 60]), Ok(None));
    assert!(decoder.pending_bytes() < 512);
    let packet = decoder.binary(&[0; 5000]).unwrap().unwrap();
    assert_eq!(packet.namespace, "/n");
    let Body::Event { id: Some(7), args } = packet.body else { panic!("an event with id 7") };
    assert!(args.event_name().is("upload"));
    let text_bytes = "53-/n,7[\"upload\"]".len();
    assert_eq!(args.attachments(), Attachments::TooLarge { bytes: text_bytes + 5120 });
}

#[test]
fn a_message_as_large_as_the_limit_passes() {
    let text = "51-[\"a\"]";
    for (limit, passes) in [(text.len() + 10, true), (text.len() + 9, false)] {
        let mut decoder = small(limit);
        assert_eq!(decoder.text(text), Ok(None));
        let packet = decoder.binary(&[0; 10]).unwrap().unwrap();
        let Body::Event { args, .. } = packet.body else { panic!("an event") };
        assert_eq!(matches!(args.attachments(), Attachments::List(_)), passes);
    }
}

#[test]
fn a_text_too_large_is_yielded_too() {
    let mut decoder = small(10);
    let packet = decoder.text("2[\"too large\"]").unwrap().unwrap();
    let Body::Event { args, .. } = packet.body else { panic!("an event") };
    assert_eq!(args.attachments(), Attachments::TooLarge { bytes: 14 });
    assert_eq!(decoder.text("51-[\"too large\"]"), Ok(None));
    assert!(matches!(decoder.binary(b"x"), Ok(Some(_))));
}

#[test]
fn placeholders_nest_without_a_stack() {
    const DEPTH: usize = 200_000;
    let placeholder = "{\"_placeholder\":true,\"num\":1}";
    for (count, verdict) in [(2, Ok(None)), (1, Err(DecodeError::PlaceholderInvalid))] {
        let open = "[{\"k\":".repeat(DEPTH);
        let close = "}]".repeat(DEPTH);
        let text = format!("5{count}-[\"a\",{open}{placeholder}{close}]");
        assert_eq!(server().text(&text), verdict);
    }
}

/// A quadratic algorithm would need many minutes for this.
#[test]
fn a_megabyte_of_what_looks_like_placeholders_is_decoded() {
    let text = format!("51-[\"a\",\"{}\"]", "_placeholder\\\"num".repeat(60_000));
    assert_eq!(server().text(&text), Ok(None));
}

proptest! {
    #[test]
    fn packets_survive_encoding_and_decoding(
        namespace in "/|/[^,\"]{0,8}",
        id in 0..=relay_socketio::decoder::ACK_ID_MAX,
        (acknowledges, has_id) in any::<(bool, bool)>(),
        words in prop::collection::vec(any::<String>(), 0..4),
        attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..11),
    ) {
        let mut args = vec![serde_json::Value::from("event")];
        args.extend(words.into_iter().map(serde_json::Value::from));
        args.extend((0..attachments.len()).map(|num| {
            serde_json::json!({ "_placeholder": true, "num": num })
        }));
        let args = serde_json::to_string(&args).unwrap();
        let id = (has_id || acknowledges).then_some(id);
        let mut text = Vec::new();
        match id {
            Some(id) if acknowledges => {
                write_ack_header(&mut text, &namespace, id, attachments.len());
            }
            id => write_event_header(&mut text, &namespace, id, attachments.len()),
        }
        text.extend_from_slice(args.as_bytes());
        let text = String::from_utf8(text).unwrap();

        let mut decoder = server();
        let mut messages = attachments.iter();
        if let Some(last) = messages.next_back() {
            prop_assert_eq!(decoder.text(&text), Ok(None));
            for data in messages {
                prop_assert_eq!(decoder.binary(data), Ok(None));
            }
            let packet = decoder.binary(last).unwrap().unwrap();
            check_packet(&packet, &namespace, id, acknowledges, &args, &attachments);
        } else {
            let packet = decoder.text(&text).unwrap().unwrap();
            check_packet(&packet, &namespace, id, acknowledges, &args, &attachments);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), binary in any::<Vec<u8>>()) {
        let mut decoder = server();
        let _ = decoder.text(&text);
        let _ = decoder.binary(&binary);
        let _ = decoder.text(&text);
    }
}

fn check_packet(
    packet: &Packet<'_>,
    namespace: &str,
    id: Option<u64>,
    acknowledges: bool,
    raw: &str,
    attachments: &[Vec<u8>],
) {
    assert_eq!(packet.namespace, namespace);
    let (decoded_id, args) = match packet.body {
        Body::Event { id, args } if !acknowledges => (id, args),
        Body::Ack { id, args } if acknowledges => (Some(id), args),
        ref other => panic!("{other:?}"),
    };
    assert_eq!((decoded_id, args.raw()), (id, raw));
    let Attachments::List(list) = args.attachments() else { panic!("a list") };
    assert!(list.iter().eq(attachments.iter()));
}
