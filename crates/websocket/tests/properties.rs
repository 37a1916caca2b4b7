//! Random messages, fragmentations and reads: what was sent is what is seen.

mod common;

use common::{Seen, decode, frame};
use proptest::prelude::*;
use relay_websocket::{Role, fuzz};

/// A message or control frame, and for a message the sizes of its fragments and the control frames
/// that come after each.
#[derive(Debug, Clone)]
struct Sent {
    event: Seen,
    fragment_bytes: Vec<usize>,
    pings: Vec<Vec<u8>>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let control = || prop::collection::vec(any::<u8>(), 0..=125);
    let event = prop_oneof![
        "\\PC{0,80}".prop_map(Seen::Text),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(Seen::Binary),
        control().prop_map(Seen::Ping),
        control().prop_map(Seen::Pong),
    ];
    let fragment_bytes = prop::collection::vec(0_usize..150, 0..6);
    (event, fragment_bytes, prop::collection::vec(control(), 0..3))
        .prop_map(|(event, fragment_bytes, pings)| Sent { event, fragment_bytes, pings })
}

/// Appends the frames of what was sent, and the events that they must yield, in order.
fn encode(role: Role, sent: &Sent, stream: &mut Vec<u8>, expected: &mut Vec<Seen>) {
    let (opcode, payload) = match &sent.event {
        Seen::Text(text) => (1, text.as_bytes()),
        Seen::Binary(bytes) => (2, bytes.as_slice()),
        Seen::Ping(bytes) => (9, bytes.as_slice()),
        Seen::Pong(bytes) => (10, bytes.as_slice()),
        Seen::Close(_) => (8, [].as_slice()),
    };
    let mut rest = payload;
    let mut first = opcode;
    if opcode < 8 {
        let mut pings = sent.pings.iter();
        for bytes in &sent.fragment_bytes {
            let (fragment, later) = rest.split_at(rest.len().min(*bytes));
            stream.extend(frame(role, first, fragment));
            first = 0;
            rest = later;
            if let Some(ping) = pings.next() {
                stream.extend(frame(role, 0x89, ping));
                expected.push(Seen::Ping(ping.clone()));
            }
        }
    }
    stream.extend(frame(role, 0x80 | first, rest));
    expected.push(sent.event.clone());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn events_do_not_depend_on_fragments_and_reads(
        is_server in any::<bool>(),
        messages in prop::collection::vec(sent(), 0..8),
        read_bytes in prop::collection::vec(1_usize..200, 1..40),
    ) {
        let role = if is_server { Role::Server } else { Role::Client };
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for message in &messages {
            encode(role, message, &mut stream, &mut expected);
        }
        let mut reads = Vec::new();
        let mut rest = stream.as_slice();
        for bytes in read_bytes.iter().cycle() {
            let (read, later) = rest.split_at(rest.len().min(*bytes));
            reads.push(read);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(decode(role, 1000, reads), (expected.clone(), None));
        prop_assert_eq!(decode(role, 1000, [stream.as_slice()]), (expected, None));
    }

    #[test]
    fn noise_breaks_no_invariant(data in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::decoder(&data);
    }

    /// Valid streams with a few octets changed reach deeper than noise.
    #[test]
    fn damaged_streams_break_no_invariant(
        scenario in any::<[u8; fuzz::SCENARIO_BYTES]>(),
        messages in prop::collection::vec(sent(), 1..5),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        close in prop::option::of((any::<u16>(), prop::collection::vec(any::<u8>(), 0..5))),
    ) {
        let role = if scenario[0] & 1 == 0 { Role::Server } else { Role::Client };
        let mut stream = Vec::new();
        for message in &messages {
            encode(role, message, &mut stream, &mut Vec::new());
        }
        if let Some((code, reason)) = close {
            stream.extend(frame(role, 0x88, &[&code.to_be_bytes(), reason.as_slice()].concat()));
        }
        for (index, octet) in damage {
            *index.get_mut(&mut stream) = octet;
        }
        fuzz::decoder(&[&scenario, stream.as_slice()].concat());
    }
}
