//! Sizes and times as people write them: `8M`, `64Ki`, `25s`, `500ms`.
//!
//! Owns the text of a value, both ways. Does not own which values a setting accepts.

use std::time::Duration;

/// What may stand behind the number of a size, in bytes; a `B` may follow. Decimal ones come
/// first at equal length of the text, since the limits are decimal.
const SIZES: [(&str, u64); 7] = [
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("K", 1_000),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("", 1),
];

/// What may stand behind the number of a time, in nanoseconds.
const TIMES: [(&str, u64); 5] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// A whole number, of digits alone.
pub(super) fn count(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Bytes: a whole number and one of `K`, `M`, `G` (thousands) or `Ki`, `Mi`, `Gi` (1024s), or
/// neither.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let unit = unit.strip_suffix('B').unwrap_or(unit);
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
    count(number)?.checked_mul(*factor)
}

/// A number, which may have a decimal part, and `us`, `ms`, `s`, `m` or `h`; seconds without.
pub(super) fn time(text: &str) -> Option<Duration> {
    let (number, unit) = split(text);
    let unit = if unit.is_empty() { "s" } else { unit };
    let (_, nanos) = TIMES.iter().find(|(name, _)| *name == unit)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let (_, _) = (count(whole)?, count(part)?);
    let number: f64 = number.parse().ok()?;
    // Multiplied first: the unit is a whole number of nanoseconds, so nothing is lost by it.
    Duration::try_from_secs_f64(number * *nanos as f64 / 1e9).ok()
}

/// A number of bytes in the largest unit that loses nothing.
pub(super) fn show_bytes(bytes: u64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    let fits = SIZES.iter().find(|(_, factor)| bytes.is_multiple_of(*factor));
    let (unit, factor) = fits.unwrap_or(&("", 1));
    format!("{}{unit}", bytes / factor)
}

/// A time in the largest unit that loses nothing.
pub(super) fn show_time(time: Duration) -> String {
    if time.is_zero() {
        return "0s".to_owned();
    }
    let fits = TIMES.iter().find(|(_, nanos)| time.as_nanos().is_multiple_of(u128::from(*nanos)));
    match fits {
        Some((unit, nanos)) => format!("{}{unit}", time.as_nanos() / u128::from(*nanos)),
        None => format!("{}s", time.as_secs_f64()),
    }
}

/// The number and what stands behind it.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, show_bytes, show_time, time};
    use std::time::Duration;

    /// How a size is read, and how it is written again.
    fn check_bytes(text: &str, expect: Option<(u64, &str)>) {
        let read = bytes(text);
        assert_eq!(read, expect.map(|(bytes, _)| bytes), "{text}");
        assert_eq!(read.map(show_bytes).as_deref(), expect.map(|(_, shown)| shown), "{text}");
        if let Some((value, shown)) = expect {
            assert_eq!(bytes(shown), Some(value), "{shown}");
        }
    }

    /// How a time is read, in nanoseconds, and how it is written again.
    fn check_time(text: &str, expect: Option<(u64, &str)>) {
        let read = time(text);
        assert_eq!(read, expect.map(|(nanos, _)| Duration::from_nanos(nanos)), "{text}");
        assert_eq!(read.map(show_time).as_deref(), expect.map(|(_, shown)| shown), "{text}");
        if let Some((_, shown)) = expect {
            assert_eq!(time(shown), read, "{shown}");
        }
    }

    #[test]
    fn sizes() {
        check_bytes("0", Some((0, "0")));
        check_bytes("1", Some((1, "1")));
        check_bytes("8M", Some((8_000_000, "8M")));
        check_bytes("8MB", Some((8_000_000, "8M")));
        check_bytes("1000000", Some((1_000_000, "1M")));
        check_bytes("1500K", Some((1_500_000, "1500K")));
        check_bytes("64Ki", Some((65_536, "64Ki")));
        check_bytes("64KiB", Some((65_536, "64Ki")));
        check_bytes("1024", Some((1_024, "1Ki")));
        check_bytes("1Mi", Some((1_048_576, "1Mi")));
        check_bytes("2Gi", Some((2_147_483_648, "2Gi")));
        check_bytes("2G", Some((2_000_000_000, "2G")));
        check_bytes("257B", Some((257, "257")));
        for text in [
            "",
            "M",
            "-1",
            "+1",
            "1.5M",
            "1 M",
            "8m",
            "8k",
            "8KB ",
            "0x10",
            "1T",
            "1MM",
            "1BB",
            "99999999999G",
            "18446744073709551616",
            "٣",
        ] {
            check_bytes(text, None);
        }
    }

    #[test]
    fn times() {
        check_time("25s", Some((25_000_000_000, "25s")));
        check_time("25", Some((25_000_000_000, "25s")));
        check_time("2.5", Some((2_500_000_000, "2500ms")));
        check_time("0", Some((0, "0s")));
        check_time("500ms", Some((500_000_000, "500ms")));
        check_time("200us", Some((200_000, "200us")));
        check_time("0.0002", Some((200_000, "200us")));
        check_time("90s", Some((90_000_000_000, "90s")));
        check_time("1.5m", Some((90_000_000_000, "90s")));
        check_time("60s", Some((60_000_000_000, "1m")));
        check_time("24h", Some((86_400_000_000_000, "24h")));
        check_time("1.0000005s", Some((1_000_000_500, "1.0000005s")));
        for text in [
            "",
            "s",
            "-1",
            "+1",
            "1e3",
            "1.s",
            ".5",
            "1.2.3",
            "1 s",
            "1S",
            "1d",
            "1ns",
            "inf",
            "nan",
            "99999999999999999999h",
        ] {
            check_time(text, None);
        }
    }

    #[test]
    fn counts() {
        for (text, expect) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("", None),
            ("+1", None),
            ("1K", None),
            ("1.0", None),
        ] {
            assert_eq!(count(text), expect, "{text}");
        }
    }
}
