//! The bounds of metrics.

/// Types of messages that an operator may name; each takes 32 bytes of every shard.
pub const METRIC_TYPES_NAMED_MAX: usize = 1_000;

/// Bytes of such a name, as far as [`MetricLimits::type_bytes_max`] goes.
pub const METRIC_TYPE_NAMED_BYTES_MAX: usize = 1_000;

/// Labels that clients choose. What is beyond counts as `otro`.
#[derive(Clone, Debug)]
pub struct MetricLimits {
    /// Distinct values of the label `type` beyond those that an operator named.
    pub types_max: usize,
    /// Bytes of a value of the label `type`.
    pub type_bytes_max: usize,
}

impl Default for MetricLimits {
    fn default() -> Self {
        Self { types_max: 100, type_bytes_max: 64 }
    }
}
