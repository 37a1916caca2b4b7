//! The bounds of what other threads want done.

/// Calls that wait for one shard.
#[derive(Clone, Debug)]
pub struct CallLimits {
    /// How many.
    pub max: usize,
    /// Bytes that they hold. Four of the largest messages, or thousands of small ones; the largest
    /// call fits alone.
    pub bytes_max: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { max: 10_000, bytes_max: 16_000_000 }
    }
}
