//! Runs the body of the fuzz target over pseudo-random and mutated inputs, the same each time.

use crate::sim::Random;

/// Appends a step: what it is and for which connection, then its bytes behind their number.
fn step(input: &mut Vec<u8>, kind: u8, which: u8, bytes: &[u8]) {
    input.push(which << 4 | kind);
    input.push(u8::try_from(bytes.len()).expect("a short step"));
    input.extend_from_slice(bytes);
}

/// Appends a step of HTTP that carries no bytes.
fn http(input: &mut Vec<u8>, kind: u8, which: u8) {
    input.extend([which << 4 | 1, kind]);
}

/// Appends a POST, or the body of one.
fn post(input: &mut Vec<u8>, kind: u8, which: u8, body: &[u8]) {
    http(input, kind, which);
    input.push(u8::try_from(body.len()).expect("a short body"));
    input.extend_from_slice(body);
}

/// A session that polls and does a little of everything with requests and WebSockets.
fn polling_session(random: &mut Random, input: &mut Vec<u8>) {
    const BODIES: [&[u8]; 14] = [
        b"40",
        b"42[\"all\"]",
        b"42[\"e\"]\x1e42[\"all\",\"0123456789012345678901234567890123456789\"]",
        b"42[\"jr\"]\x1e42[\"rr\"]\x1e42[\"v\"]",
        b"3",
        b"1",
        b"2",
        b"",
        b"42[\"c\"]",
        b"42[\"d\"]\x1e40",
        b"40/b,\x1e42/b,1[\"e\"]",
        b"451-[\"a\",{\"_placeholder\":true,\"num\":0}]\x1ebAAEC",
        b"451-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        b"bAAEC",
    ];
    let which = random.next().to_le_bytes()[0] & 7;
    match random.up_to(16) {
        0..=2 => http(input, 1, which),
        3..=6 => post(input, 2, which, random.pick(&BODIES)),
        7 => http(input, 3, which),
        8 => post(input, 4, which, random.pick(&BODIES)),
        9 => http(input, random.next().to_le_bytes()[0], which),
        10 | 11 => http(input, 6, which),
        12 | 13 => step(input, 8, which, b"2probe"),
        14 => step(input, 8, which, b"5"),
        // Everything that waits is taken.
        _ => input.extend([which << 4 | 9, 255]),
    }
}

/// A session that does a little of everything.
fn session(random: &mut Random) -> Vec<u8> {
    const EVENTS: [&[u8]; 21] = [
        b"[\"Jr\"]",
        b"[\"Lr\"]",
        b"[\"Dr\"]",
        b"[\"Drr\"]",
        b"[\"f\"]",
        b"[\"fr\"]",
        b"[\"s\"]",
        b"[\"all\"]",
        b"1[\"e\"]",
        b"/b,[\"a\",{}]",
        b"[\"v\"]",
        b"[\"jr\"]",
        b"[\"lr\"]",
        b"[\"rr\",1]",
        b"[\"q\"]",
        b"[\"w\"]",
        b"[\"d\"]",
        b"[\"c\"]",
        b"7[\"ab\"]",
        b"[\"j1\"]",
        b"[\"e0123456789012345678901234567890123456789012345678901234567890123456789\"]",
    ];
    const TEXTS: [&[u8]; 10] = [
        b"3",
        b"1",
        b"430[1]",
        b"431[]",
        b"41",
        b"40/b,",
        b"40{\"no\":1}",
        b"451-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        b"2",
        b"",
    ];
    let mut input = Vec::new();
    for which in 0..4 {
        step(&mut input, 0, which, b"");
        step(&mut input, 4, which, b"");
        http(&mut input, 0, which);
        post(&mut input, 2, 2 * which + 1, b"40");
    }
    for _ in 0..random.up_to(120) {
        if random.one_in(2) {
            polling_session(random, &mut input);
            continue;
        }
        let which = random.next().to_le_bytes()[0] & 15;
        match random.up_to(14) {
            13 | 14 => {
                let kind = random.next().to_le_bytes()[0];
                input.extend([which << 4 | 15, kind]);
                let name = random.pick(&[&b"r"[..], b"rr", b"1", b"", b"much too long"]);
                input.push(u8::try_from(name.len()).expect("a short name"));
                input.extend_from_slice(name);
            }
            0..=5 => step(&mut input, 5, which, random.pick(&EVENTS)),
            6 => step(&mut input, 8, which, random.pick(&TEXTS)),
            7 => step(&mut input, 3, which, b"binary"),
            8 => step(&mut input, 4, which, b"/b,{}"),
            9 => input.extend([which << 4, 0]),
            10 => input.extend([which << 4 | 12, random.next().to_le_bytes()[0]]),
            11 => input.extend([which << 4 | 9, random.next().to_le_bytes()[0]]),
            _ => input.push(which << 4 | random.pick(&[10, 11, 13, 14])),
        }
    }
    input
}

#[test]
fn the_hub_holds_its_invariants() {
    let mut random = Random::new(1);
    for round in 0..8_000 {
        let mut input = session(&mut random);
        if round % 2 == 0 {
            for _ in 0..random.up_to(6) {
                if let Some(at) = random.below(input.len()) {
                    input[at] = random.next().to_le_bytes()[0];
                }
            }
        }
        relay_hub::fuzz::hub(&input);
    }
}
