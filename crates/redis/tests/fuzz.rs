//! Runs the body of the fuzz target over pseudo-random and mutated inputs, the same each time.

use relay_redis::fuzz;

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

    fn mutate(&mut self, seed: &[u8], alphabet: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 if at < bytes.len() => drop(bytes.remove(at)),
                1 => bytes.insert(at, alphabet[self.below(alphabet.len())]),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                _ => {
                    let part = bytes[at..].to_vec();
                    bytes.extend(part);
                }
            }
        }
        bytes
    }
}

fn check(channel: u8, seeds: &[Vec<u8>], alphabet: &[u8], rounds: usize) {
    run(fuzz::classic, |_| channel, seeds, alphabet, rounds);
}

/// Runs a body that takes a byte of its own, and then something like the seeds.
fn run(
    body: fn(&[u8]),
    first: impl Fn(usize) -> u8,
    seeds: &[Vec<u8>],
    alphabet: &[u8],
    rounds: usize,
) {
    let mut random = Random(rounds as u64);
    for round in 0..rounds {
        let mut input = vec![first(round)];
        input.extend(match round % 4 {
            0 => (0..random.below(64)).map(|_| alphabet[random.below(alphabet.len())]).collect(),
            _ => {
                let seed = &seeds[random.below(seeds.len())];
                random.mutate(seed, alphabet)
            }
        });
        body(&input);
    }
}

/// The messages of a golden file.
fn golden(file: &str) -> Vec<Vec<u8>> {
    golden_of(file, |_| true)
}

/// Those of its messages that are wanted.
fn golden_of(file: &str, is_wanted: impl Fn(&serde_json::Value) -> bool) -> Vec<Vec<u8>> {
    let cases = file.lines().map(|line| serde_json::from_str(line).expect("golden line"));
    let hex = |case: serde_json::Value| {
        let digits = case["hex"].as_str().expect("hex").as_bytes().to_vec();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16);
        digits.chunks(2).map(|pair| byte(pair).expect("hex")).collect()
    };
    cases.filter(is_wanted).map(hex).collect()
}

const MSGPACK: &[u8] =
    b"\x00\x02\x80\x81\x83\x90\x91\x93\xa0\xa1a\xc0\xc1\xc3\xc4\xcb\xcf\xd4\xd7\xff";
const JSON: &[u8] = br#"{}[]",:\/ue+-.0123456789 trfalsndD_"#;

#[test]
fn broadcasts_hold_the_invariants() {
    check(0, &golden(include_str!("golden/broadcasts.jsonl")), MSGPACK, 60_000);
}

#[test]
fn requests_hold_the_invariants() {
    let mut seeds = golden(include_str!("golden/requests.jsonl"));
    seeds.extend(golden(include_str!("golden/emitted.jsonl")));
    let count = r#"{"uid":"peer01","requestId":"q","type":5,"opts":{"rooms":[5]},"relay":"count"}"#;
    // As many as it takes to come up often.
    seeds.extend(vec![count.as_bytes().to_vec(); 20]);
    check(1, &seeds, JSON, 60_000);
}

#[test]
fn answers_hold_the_invariants() {
    let mut seeds = golden(include_str!("golden/answers.jsonl"));
    seeds.push(br#"{"requestId":"q","count":9007199254740991,"complete":true}"#.to_vec());
    check(2, &seeds, JSON, 40_000);
}

#[test]
fn the_other_parsers_hold_the_invariants() {
    let file = include_str!("golden/parsers.jsonl");
    for (number, parser, alphabet) in [(1, "json", JSON), (2, "msgpackr", MSGPACK)] {
        for (channel, what) in [(0, "broadcast"), (1, "request"), (2, "ack")] {
            let seeds = golden_of(file, |it| it["what"] == what && it["parser"] == parser);
            check(channel | number << 2, &seeds, alphabet, 20_000);
        }
    }
}

#[test]
fn what_is_sent_holds_the_invariants() {
    let seeds = [
        r#"["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0,"num":7}]"#,
        r#"["a",{"b":1,"1":[{"x":0,"0":{}}],"a":{"2":[],"1":""},"b":[1.5,1e400]}]"#,
        r#"[{"a":{"b":[[],{}]}},"\ud800",-0,12345678901234567890]"#,
        r#"[5,"\ud800",-0,12345678901234567890,9007199254740993,-9007199254740992,1e21]"#,
        r#"["connect",1]"#,
        r#"["a",{"__proto__":{"10":1,"9":2},"4294967295":0,"4294967294":-1}]"#,
        r#"["a",-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,127,128,255,256,65535,65536]"#,
    ]
    .map(|seed| seed.as_bytes().to_vec());
    for (parser, rounds) in [(0, 60_000), (1, 30_000), (2, 30_000)] {
        check(3 | parser << 2, &seeds, JSON, rounds);
    }
}

#[test]
fn what_redis_says_is_sifted_alike_in_any_pieces() {
    let seeds = [
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nab\r\n*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$1\r\nc\r\n$18\r\n0123456789abcdefgh\r\n+OK\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$17\r\n0123456789abcdefg\r\n$1\r\nm\r\n",
        "%1\r\n+a\r\n|1\r\n+b\r\n_\r\n~2\r\n$-1\r\n*1\r\n$3\r\nabc\r\n-ERR\r\n",
    ]
    .map(|seed| seed.as_bytes().to_vec());
    let piece = |round: usize| u8::try_from(round % 40).expect("small");
    run(fuzz::sift, piece, &seeds, b"*$+-:%|>~_\r\n0123456789message", 60_000);
}
