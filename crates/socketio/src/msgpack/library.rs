//! Which library a peer uses, as far as it matters: msgpack leaves room, and they fill it differently.

/// The library by which a peer reads and writes msgpack, with its default options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Library {
    /// notepack.io (3.0, and what 2.x writes): stock clients, servers for Node. Integers of 64 bits
    /// are numbers; any extension is a value.
    #[default]
    Notepack,
    /// msgpackr (1.11), `pack` and `unpack`: integers of 64 bits are read as `BigInt`, on which
    /// `JSON.stringify` throws, and an extension that the reader does not know is refused.
    Msgpackr,
}

/// The largest integral double whose neighbours differ: beyond it peers disagree about integers.
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

impl Library {
    /// Whether an integral number is written as an integer for it; others are floats of 64 bits.
    pub(super) fn takes_integer(self, integral: f64) -> bool {
        match self {
            Self::Notepack => integral.abs() <= INTEGER_MAX,
            Self::Msgpackr => (f64::from(i32::MIN)..=f64::from(u32::MAX)).contains(&integral),
        }
    }

    /// The same for an integer within ±(2^53 - 1).
    pub(super) fn takes_short_integer(self, integer: i64) -> bool {
        match self {
            Self::Notepack => true,
            Self::Msgpackr => (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&integer),
        }
    }

    /// Whether it writes an extension of this type and as many bytes without being told to.
    pub(super) fn writes_extension(self, ext_type: i8, length: usize) -> bool {
        match self {
            Self::Notepack => true,
            // Undefined and dates. What others hold stands behind them as values of its own, which
            // would be taken for the next elements: records, references, sets.
            Self::Msgpackr => ext_type == -1 || (ext_type == 0 && length == 1),
        }
    }
}
