//! Runs the body of the fuzz target over pseudo-random and mutated inputs, the same each time.

use crate::sim::Random;

/// Appends a step: what it is and for which connection, then its bytes behind their number.
fn step(input: &mut Vec<u8>, kind: u8, which: u8, bytes: &[u8]) {
    input.push(which << 4 | kind);
    input.push(u8::try_from(bytes.len()).expect("a short step"));
    input.extend_from_slice(bytes);
}

/// A session that does a little of everything.
fn session(random: &mut Random) -> Vec<u8> {
    const EVENTS: [&[u8]; 14] = [
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
    }
    for _ in 0..random.up_to(60) {
        let which = random.next().to_le_bytes()[0] & 15;
        match random.up_to(12) {
            0..=5 => step(&mut input, 5, which, random.pick(&EVENTS)),
            6 => step(&mut input, 8, which, random.pick(&TEXTS)),
            7 => step(&mut input, 3, which, b"binary"),
            8 => step(&mut input, 4, which, b"/b,{}"),
            9 => input.extend([which << 4, 0]),
            10 => input.extend([which << 4 | 12, random.next().to_le_bytes()[0]]),
            11 => input.extend([which << 4 | 9, random.next().to_le_bytes()[0]]),
            _ => input.push(which << 4 | [10, 11, 13, 14, 15][random.up_to(4)]),
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
