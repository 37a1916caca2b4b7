//! The bounds of logs.

/// What waits, and how much is said of what clients cause at will.
#[derive(Clone, Debug)]
pub struct LogLimits {
    /// Lines that wait to be written, in bytes of memory: a few thousand. More are dropped.
    pub queue_bytes_max: usize,
    /// Lines a second of what clients cause at will: of messages, of identifications, of refusals
    /// each. A person reads no more; what is left out is counted.
    pub lines_per_second_max: usize,
    /// Bytes of one text in a line that a client chose; longer ones are cut.
    pub value_bytes_max: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { queue_bytes_max: 2_000_000, lines_per_second_max: 100, value_bytes_max: 256 }
    }
}
