//! Compressed bodies: which encoding a client prefers, and the encoding itself.
//!
//! Chooses as the stock server does, which asks the npm packages `accepts` and `negotiator` 0.6:
//! the client's `q` decides, then the order of its list, and `*` means gzip. `identity` has no say.
//! Owns neither bodies nor the rest of an answer's header.

use std::cmp::Ordering;
use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use hyper::header::{self, HeaderMap, HeaderValue};

/// A body of long-polling below this is sent as it is: the stock server's threshold.
pub(crate) const THRESHOLD_BYTES: usize = 1_024;

/// How a body is encoded (RFC 9110 §8.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    /// RFC 1952.
    Gzip,
    /// The zlib format, RFC 1950.
    Deflate,
}

impl Encoding {
    /// The value of `Content-Encoding`.
    pub(crate) fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }
}

/// The encoding for an answer to a request with these header fields; `None` is no encoding.
pub(crate) fn negotiate(request: &HeaderMap) -> Option<Encoding> {
    let (mut gzip, mut deflate) = (Preference::NONE, Preference::NONE);
    let lists = request.get_all(header::ACCEPT_ENCODING).iter();
    let parts = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
    for (index, part) in parts.enumerate() {
        let Some((name, q)) = read(part) else { continue };
        let star = name == "*";
        let preference = Preference { named: !star, q, index };
        if star || name.eq_ignore_ascii_case("gzip") {
            gzip = gzip.or(preference);
        }
        if star || name.eq_ignore_ascii_case("deflate") {
            deflate = deflate.or(preference);
        }
    }
    match (gzip.q > 0.0, deflate.q > 0.0) {
        (true, true) if deflate.precedes(gzip) => Some(Encoding::Deflate),
        (true, _) => Some(Encoding::Gzip),
        (false, true) => Some(Encoding::Deflate),
        (false, false) => None,
    }
}

/// What a list says about one encoding.
#[derive(Clone, Copy)]
struct Preference {
    /// By its name, not by `*`.
    named: bool,
    q: f64,
    /// The place in the list.
    index: usize,
}

impl Preference {
    const NONE: Self = Self { named: false, q: 0.0, index: 0 };

    /// Of two entries for one encoding, a name counts more than `*`, then the higher q, then the
    /// later one.
    fn or(self, later: Self) -> Self {
        // What is no number is not less, so it replaces.
        let less = later.q.partial_cmp(&self.q) == Some(Ordering::Less);
        let replaces = if self.named == later.named { !less } else { later.named };
        if replaces { later } else { self }
    }

    /// Of two encodings, the higher q comes first, then one that is named, then the list's order.
    fn precedes(self, other: Self) -> bool {
        if self.q != other.q {
            return self.q > other.q;
        }
        if self.named != other.named {
            return self.named;
        }
        self.index < other.index
    }
}

/// One entry of the list: `name` or `name;q=0.5`. What cannot be read is nobody's preference.
fn read(part: &str) -> Option<(&str, f64)> {
    let (name, parameters) = match part.split_once(';') {
        Some((name, parameters)) => (name.trim(), parameters),
        None => (part.trim(), ""),
    };
    if name.is_empty() || name.contains([' ', '\t']) {
        return None;
    }
    let mut q = parameters.split(';').map(str::trim).filter_map(|it| match it.split_once('=') {
        Some((name, value)) => (name == "q").then_some(value),
        None => (it == "q").then_some(""),
    });
    Some((name, q.next().map_or(1.0, decimal)))
}

/// The number at the start of a text, without exponents, of which `q` has none; NaN if there is
/// none.
fn decimal(text: &str) -> f64 {
    let text = text.trim_start();
    let mut points = 0;
    let ends = |(at, c): (usize, char)| {
        points += usize::from(c == '.');
        let belongs = c.is_ascii_digit() || (c == '.' && points == 1) || (c == '-' && at == 0);
        (!belongs).then_some(at)
    };
    let end = text.char_indices().find_map(ends).unwrap_or(text.len());
    text[..end].parse().unwrap_or(f64::NAN)
}

/// The body in this encoding. It is made for bodies that are sent once, on the thread that also
/// serves everybody else, so it is quick rather than small: 2 to 3 ms for a megabyte. The result
/// exceeds the input by a fraction of a percent at most.
pub(crate) fn compress(encoding: Encoding, body: &[u8]) -> Vec<u8> {
    compress_at(Compression::fast(), encoding, body)
}

/// The same for a body that is kept and sent again: smaller, several times the work.
pub(crate) fn compress_well(encoding: Encoding, body: &[u8]) -> Vec<u8> {
    compress_at(Compression::best(), encoding, body)
}

fn compress_at(level: Compression, encoding: Encoding, body: &[u8]) -> Vec<u8> {
    let room = Vec::with_capacity(body.len() / 4 + 64);
    let written = match encoding {
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(room, level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(room, level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
    };
    written.expect("a vector takes every write")
}

/// The content of a gzip file that the program brings along: trusted, hence without a bound.
///
/// # Errors
/// It is no gzip file.
pub(crate) fn gunzip(file: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(file).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests;
