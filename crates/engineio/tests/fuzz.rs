//! Runs the bodies of the fuzz targets over pseudo-random inputs, the same each time.

use relay_engineio::fuzz;

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
}

/// Feeds `body` with words strung together, and every eighth time with any bytes.
fn check(body: fn(&[u8]), words: &[&str], rounds: usize) {
    let mut random = Random(rounds as u64);
    for round in 0..rounds {
        let length = random.below(12);
        let input: Vec<u8> = if round % 8 == 0 {
            (0..length * 4).map(|_| random.byte()).collect()
        } else {
            let chosen = (0..length).map(|_| words[random.below(words.len())]);
            chosen.collect::<String>().into_bytes()
        };
        body(&input);
    }
}

#[test]
fn packets_hold_their_invariants() {
    let words = ["0", "1", "2", "3", "4", "5", "6", "7", "b", "probe", "AQID", "AQ", "=", "é", "-"];
    check(fuzz::packet, &words, 40_000);
}

#[test]
fn queries_hold_their_invariants() {
    let words = [
        "EIO",
        "sid",
        "transport",
        "=",
        "=",
        "&",
        "&",
        "4",
        "polling",
        "websocket",
        "%",
        "%41",
        "%C3",
        "%A9",
        "+",
        "é",
        "aaaaaaaaaaaaaaaaaaaa",
        "a",
        "%2",
        "%ff",
    ];
    check(fuzz::query, &words, 40_000);
}
