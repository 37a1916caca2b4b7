//! How a record looks as a line.
//!
//! Whatever a client said stands between quotes and stays on its line: quotes, backslashes, control
//! characters, and what changes the direction or the place of text around it, are escaped.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::LogLevel;
use super::record::{Record, Value};

/// Which lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// A JSON object each.
    Json,
    /// Words for people.
    Text {
        /// With the colours of a terminal.
        colours: bool,
    },
}

/// The style, and what is the same in every line.
pub(super) struct Format {
    style: Style,
    instance: String,
}

impl Format {
    pub(super) fn new(style: Style, instance: &str) -> Self {
        Self { style, instance: instance.to_owned() }
    }

    /// Appends a line.
    pub(super) fn line(&self, out: &mut String, record: &Record) {
        match self.style {
            Style::Json => self.json(out, record),
            Style::Text { colours } => text(out, record, colours),
        }
        out.push('\n');
    }

    fn json(&self, out: &mut String, record: &Record) {
        out.push_str("{\"timestamp\":\"");
        timestamp(out, record.time);
        out.push_str("\",\"level\":\"");
        out.push_str(record.level.as_str());
        out.push_str("\",\"event\":\"");
        out.push_str(record.event);
        out.push('"');
        for (name, value) in &record.fields {
            out.push_str(",\"");
            out.push_str(name);
            out.push_str("\":");
            match value {
                Value::Word(word) => quoted(out, word),
                Value::Text(text) => quoted(out, text),
                Value::Number(number) => push(out, format_args!("{number}")),
            }
        }
        out.push_str(",\"instance\":");
        quoted(out, &self.instance);
        out.push('}');
    }
}

fn text(out: &mut String, record: &Record, colours: bool) {
    let paint = |out: &mut String, code: &str, it: &str| {
        if colours {
            push(out, format_args!("\x1b[{code}m{it}\x1b[0m"));
        } else {
            out.push_str(it);
        }
    };
    let (word, colour) = match record.level {
        LogLevel::Off | LogLevel::Info => (" INFO", "32"),
        LogLevel::Warn => (" WARN", "33"),
        LogLevel::Error => ("ERROR", "31"),
    };
    let mut time = String::new();
    timestamp(&mut time, record.time);
    paint(out, "2", &time);
    out.push(' ');
    paint(out, colour, word);
    out.push(' ');
    paint(out, "1", record.event);
    for (name, value) in &record.fields {
        out.push(' ');
        paint(out, "2", name);
        paint(out, "2", "=");
        match value {
            Value::Word(word) => out.push_str(word),
            Value::Text(text) if is_plain(text) => out.push_str(text),
            Value::Text(text) => quoted(out, text),
            Value::Number(number) => push(out, format_args!("{number}")),
        }
    }
}

/// Text that needs no quotes to be told from what stands around it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "~-_.:/@".contains(c))
}

/// A JSON string.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                push(out, format_args!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What moves or hides the text around it. All of these have four hexadecimal digits.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// RFC 3339 in UTC, with milliseconds.
fn timestamp(out: &mut String, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    push(
        out,
        format_args!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        ),
    );
}

/// Year, month and day of a number of days since 1970. Years begin in March here, so that the day
/// that not every year has is the last.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    const MARCH_OF_0: u64 = 719_468;
    let days = days + MARCH_OF_0;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{Format, Style, date};
    use crate::log::LogLevel;
    use crate::log::record::{Record, Value};

    fn record(level: LogLevel, fields: Vec<(&'static str, Value)>) -> Record {
        let time = UNIX_EPOCH + Duration::from_millis(1_704_110_400_007);
        Record { time, level, event: "said", fields }
    }

    #[track_caller]
    fn check(style: Style, fields: Vec<(&'static str, Value)>, expect: &str) {
        let mut line = String::new();
        Format::new(style, "host-1").line(&mut line, &record(LogLevel::Info, fields));
        assert_eq!(line, format!("{expect}\n"));
    }

    #[test]
    fn a_line_of_json_has_the_keys_in_order() {
        check(
            Style::Json,
            vec![("who", "ana".into()), ("kind", Value::Word("a")), ("bytes", 5.into())],
            r#"{"timestamp":"2024-01-01T12:00:00.007Z","level":"info","event":"said","who":"ana","kind":"a","bytes":5,"instance":"host-1"}"#,
        );
    }

    #[test]
    fn client_strings_forge_no_line() {
        let evil = "a\nb\r\"\\\t\u{0}\u{7f}\u{85}\u{1b}[31m\u{202e}\u{2028}é€";
        let safe = r#""a\nb\r\"\\\t\u0000\u007f\u0085\u001b[31m\u202e\u2028é€""#;
        check(
            Style::Json,
            vec![("who", evil.into())],
            &format!(
                r#"{{"timestamp":"2024-01-01T12:00:00.007Z","level":"info","event":"said","who":{safe},"instance":"host-1"}}"#
            ),
        );
        check(
            Style::Text { colours: false },
            vec![("who", evil.into()), ("x", "a b=c".into()), ("y", "é1".into()), ("z", "".into())],
            &format!("2024-01-01T12:00:00.007Z  INFO said who={safe} x=\"a b=c\" y=é1 z=\"\""),
        );
    }

    #[test]
    fn a_terminal_has_colours() {
        check(
            Style::Text { colours: true },
            vec![("n", 1.into())],
            "\x1b[2m2024-01-01T12:00:00.007Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[1msaid\x1b[0m \
             \x1b[2mn\x1b[0m\x1b[2m=\x1b[0m1",
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = |bytes: &[u8], max| Value::capped(bytes, max);
        assert_eq!(cut("aé€".as_bytes(), 6), "aé€".into());
        assert_eq!(cut("aé€".as_bytes(), 5), "aé…".into());
        assert_eq!(cut("aé€".as_bytes(), 2), "a…".into());
        assert_eq!(cut(&[0x80; 9], 6), "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}…".into());
        assert_eq!(cut(b"abc", 0), "…".into());
        assert_eq!(cut(&[0xff], 5), "\u{fffd}".into());
    }

    #[test]
    fn days_have_dates() {
        for (days, expect) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (11_322, (2000, 12, 31)),
            (19_723, (2024, 1, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expect, "{days}");
        }
    }
}
