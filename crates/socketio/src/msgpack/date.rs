//! Dates as text, in the spelling of JavaScript.
//!
//! Owns ECMA-262 `TimeClip` and `Date.prototype.toISOString`; knows the proleptic Gregorian
//! calendar and no time zone.

use std::io::Write as _;

/// The furthest that a JavaScript date is from 1970, in milliseconds.
const TIME_MS_MAX: f64 = 8.64e15;
const DAY_MS: i64 = 86_400_000;

/// Appends the JSON that `JSON.stringify(new Date(time_ms))` gives: a string such as
/// `"2023-11-14T22:13:20.123Z"`, or `null` beyond the range of dates.
pub(super) fn write_date(out: &mut Vec<u8>, time_ms: f64) {
    if !(-TIME_MS_MAX..=TIME_MS_MAX).contains(&time_ms) {
        out.extend_from_slice(b"null");
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "fractions are cut off as TimeClip does")]
    let time = time_ms as i64;
    let (day, ms) = (time.div_euclid(DAY_MS), time.rem_euclid(DAY_MS));
    let (year, month, day) = civil(day);
    // Years of more than four digits, or before the year 0, have a sign and six digits.
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        "\"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z\"",
        ms % 1_000
    );
}

/// Year, month (1 to 12) and day (from 1) of a count of days since 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last one of a year; 400 years have
/// 146 097 days, and five months from March on have 153.
fn civil(days: i64) -> (i64, i64, i64) {
    // Days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spelt_as_in_javascript() {
        for (time_ms, expected) in [
            (0.0, "\"1970-01-01T00:00:00.000Z\""),
            (-1.0, "\"1969-12-31T23:59:59.999Z\""),
            (-0.9, "\"1970-01-01T00:00:00.000Z\""),
            (1_700_000_000_123.0, "\"2023-11-14T22:13:20.123Z\""),
            (951_782_400_000.0, "\"2000-02-29T00:00:00.000Z\""),
            (-2_203_891_200_000.0, "\"1900-03-01T00:00:00.000Z\""),
            (-62_167_219_200_000.0, "\"0000-01-01T00:00:00.000Z\""),
            (-62_167_219_200_001.0, "\"-000001-12-31T23:59:59.999Z\""),
            (253_402_300_800_000.0, "\"+010000-01-01T00:00:00.000Z\""),
            (8.64e15, "\"+275760-09-13T00:00:00.000Z\""),
            (-8.64e15, "\"-271821-04-20T00:00:00.000Z\""),
            (8.64e15 + 1.0, "null"),
            (f64::NAN, "null"),
        ] {
            let mut out = Vec::new();
            write_date(&mut out, time_ms);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
