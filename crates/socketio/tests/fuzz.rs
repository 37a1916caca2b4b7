//! Runs the bodies of the fuzz targets over pseudo-random and mutated inputs, the same each time.

use relay_socketio::fuzz;

/// A generator with a fixed seed (SplitMix64): a failing input can be found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("less than end")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// `seed` with a few bytes of `alphabet` put in, bytes removed, or a part repeated.
    fn mutate(&mut self, seed: &[u8], alphabet: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 => bytes.truncate(bytes.len().saturating_sub(self.below(4))),
                1 => bytes.insert(at, alphabet[self.below(alphabet.len())]),
                2 if at < bytes.len() => bytes[at] = self.byte(),
                _ => {
                    let part = bytes[at..].to_vec();
                    bytes.extend(part);
                }
            }
        }
        bytes
    }
}

fn check(body: fn(&[u8]), seeds: &[Vec<u8>], alphabet: &[u8], rounds: usize) {
    let mut random = Random(rounds as u64);
    for round in 0..rounds {
        let input = match round % 4 {
            0 => (0..random.below(64)).map(|_| random.byte()).collect(),
            1 => (0..random.below(64)).map(|_| alphabet[random.below(alphabet.len())]).collect(),
            _ => {
                let seed = &seeds[random.below(seeds.len())];
                random.mutate(seed, alphabet)
            }
        };
        body(&input);
    }
}

#[test]
fn json_holds_its_invariants() {
    let seeds = [
        r#"{"destino":"yo","n":[-1.5e-3,0,true,null],"o":{"k":{}}}"#,
        r#"["relay",{"a":[1,[2,[3]]],"s":"\ud83d\ude00\ud800 \"q\" \\"}]"#,
        r#" [ [ "a" , 1e400 ] , { "" : "\u0000\udc00\ud800" } ] "#,
    ]
    .map(|seed| seed.as_bytes().to_vec());
    check(fuzz::json, &seeds, br#"{}[]",:\/ue+-.0123 trfalsndD8"#, 40_000);
}

/// Messages in the form that the fuzz body takes.
fn conversation(messages: &[&str]) -> Vec<u8> {
    let mut data = vec![1];
    for message in messages {
        let (tag, contents) = match message.strip_prefix("binary:") {
            Some(contents) => (1, contents),
            None => (0, *message),
        };
        data.extend([tag, u8::try_from(contents.len()).expect("a short message")]);
        data.extend_from_slice(contents.as_bytes());
    }
    data
}

#[test]
fn the_decoder_holds_its_invariants() {
    let seeds = [
        conversation(&["0", r#"0/admin,{"token":"x"}"#, r#"2["foo",1]"#, "1/admin,"]),
        conversation(&[r#"52-/a,7["a",{"_placeholder":true,"num":1}]"#, "binary:xy", "binary:"]),
        conversation(&[r#"61-15[{"_placeholder":true,"num":0}]"#, "binary:0123456789abcdef"]),
        conversation(&[
            r#"53-["much"]"#,
            "binary:0123456789abcdef0123456789abcdef",
            "binary:0123456789abcdef0123456789abcdef",
            "binary:",
        ]),
        conversation(&[r#"4{"message":"no"}"#, r#"3/x,9[]"#]),
    ];
    check(fuzz::decoder, &seeds, b"\x00\x01\x08\x10{}[]\",:-/0123456_placeholdernum", 60_000);
}

/// The byte for the role, then an event whose one argument is given in hexadecimal digits.
fn msgpack_event(argument: &str) -> Vec<u8> {
    let hex = format!("0183a47479706502a36e7370a12fa46461746192a161{argument}");
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_msgpack_decoder_holds_its_invariants() {
    let seeds = [
        "83 a161 01 a131 c40102 a130 93 c0 cb3ff8000000000000 d40000",
        "84 a161 d40000 01 a0 c2 c2 a1ff a3eda080",
        "9a d40000 d501aabb d6ff6553f100 c70200aabb caffc00000 a2c3a9 c2 cd0100 d3ffffffffffffff00 9101",
        "82 a9 5f5f70726f746f5f5f 81a178c40101 ac 5f706c616365686f6c646572 c3",
        "82 ac 5f706c616365686f6c646572 c3 a3 6e756d 00",
        "83 a162 c40101 a161 c40102 a162 01",
        "dc0002 de0001 a161 df00000000 dd00000000 d7007fffffffffffffff c70cff000000000000000000000000",
    ]
    .map(msgpack_event);
    let alphabet =
        b"\x00\x01\x80\x81\x82\x90\x91\x92\xa0\xa1a\xc0\xc1\xc2\xc3\xc4\xc7\xcb\xcf\xd4\xd7\xff";
    check(fuzz::msgpack_decoder, &seeds, alphabet, 80_000);
}

#[test]
fn the_msgpack_encoder_holds_its_invariants() {
    let seeds = [
        r#"{"b":1,"1":[{"x":0,"0":{}}],"a":{"2":[],"1":""},"b":[1.5,1e400]}"#,
        r#"["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0,"num":7}]"#,
        r#"[{"a":{"b":[[],{}]},"\u0061":[{"c":{}}]},"\ud800",-0,12345678901234567890]"#,
        r#"{"__proto__":{"10":1,"9":2},"4294967295":0,"4294967294":-1}"#,
    ]
    .map(|seed| seed.as_bytes().to_vec());
    check(fuzz::msgpack_encoder, &seeds, br#"{}[]",:\/ue+-.0123 trfalsndD8_"#, 60_000);
}
