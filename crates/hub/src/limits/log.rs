//! The bounds of logs.

/// What waits, and how much is said of what clients cause at will.
#[derive(Clone, Debug)]
pub struct LogLimits {
    /// Lines that wait to be written, in bytes of memory: a few thousand. More are dropped.
    pub queue_bytes_max: usize,
    /// Lines a second of what clients cause at will: of messages, of identifications, of refused
    /// events and CONNECTs, of refused handshakes each. A person reads no more; what is left out is counted.
    pub lines_per_second_max: usize,
    /// Lines a second about who came and who went. More than of the others, since fleets that come
    /// back are news; but one connection can come and go as often as it likes, and it must neither
    /// fill disks nor push out what else is said. What is left out is counted.
    pub sessions_per_second_max: usize,
    /// Bytes of one text in a line that a client chose; longer ones are cut.
    pub value_bytes_max: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            queue_bytes_max: 2_000_000,
            lines_per_second_max: 100,
            sessions_per_second_max: 1_000,
            value_bytes_max: 256,
        }
    }
}
