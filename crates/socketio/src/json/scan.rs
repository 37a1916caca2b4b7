//! Moving over JSON text quickly: runs of string content, white space, whole values.
//!
//! Owns no grammar: [`super::check`] decides what is legal. The skipping functions rely on that
//! decision and merely stay in bounds when it was not made.

/// One bit-pattern per byte of a word.
const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Offset of the first quote, backslash or control character at or after `at`, or the length of
/// `bytes`: where a run of ordinary string content ends.
///
/// Strings are most of what clients send, so this looks at eight bytes at a time. Each test below
/// marks the high bit of the bytes it is about; a borrow can only mark *further* bytes above a
/// genuine hit, so that the lowest mark is always genuine.
#[inline]
pub(super) fn string_run_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ splat(b'"');
        let backslash = word ^ splat(b'\\');
        let marks = ((quote.wrapping_sub(splat(1)) & !quote)
            | (backslash.wrapping_sub(splat(1)) & !backslash)
            | (word.wrapping_sub(splat(0x20)) & !word))
            & splat(0x80);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

/// Whether `byte` is JSON white space (RFC 8259 §2).
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Offset of the first byte at or after `at` that is no white space.
#[inline]
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).copied().is_some_and(is_space) {
        at += 1;
    }
    at
}

/// Offset behind the string whose opening quote is at `at`; `None` if it does not end.
#[inline]
pub(crate) fn skip_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at = string_run_end(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

/// Offset behind the checked value that begins at `at`; `None` if there is none or it does not
/// end.
#[inline]
pub(crate) fn skip_value(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => skip_string(bytes, at),
        b'[' | b'{' => skip_container(bytes, at),
        _ => {
            let length = bytes[at..].iter().take_while(|byte| is_scalar_byte(**byte)).count();
            (length > 0).then_some(at + length)
        }
    }
}

/// Checked brackets pair up, so that a count of the open ones finds the end of a container.
fn skip_container(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut open = 0usize;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = skip_string(bytes, at)?;
                continue;
            }
            b'[' | b'{' => open += 1,
            b']' | b'}' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// The bytes of `true`, `false`, `null` and numbers.
fn is_scalar_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_runs_end_at_the_first_special_byte() {
        for special in (0u8..=0xff).filter(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            for at in 0..24 {
                let mut bytes = vec![0xc3; 24];
                bytes[at] = special;
                // What lies behind the first special byte must not disturb its place.
                bytes[at + 1..].fill(special.wrapping_add(1));
                assert_eq!(string_run_end(&bytes, 0), at, "byte {special:#x}");
            }
        }
        for ordinary in (0x20u8..=0xff).filter(|byte| !matches!(byte, b'"' | b'\\')) {
            assert_eq!(string_run_end(&[ordinary; 21], 0), 21, "byte {ordinary:#x}");
        }
    }

    #[test]
    fn skipping_ends_quietly_on_text_that_was_never_checked() {
        for text in ["", "\"", "\"\\", "[", "{\"a", "]", "}", ",", "[\"", "[[]", "\"\u{1}\""] {
            assert_eq!(skip_value(text.as_bytes(), 0), None, "{text:?}");
        }
    }
}
