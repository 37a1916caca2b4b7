//! The bounds of metrics.

/// Labels that clients choose. What is beyond counts as `otro`.
#[derive(Clone, Debug)]
pub struct MetricLimits {
    /// Distinct values of the label `type`.
    pub types_max: usize,
    /// Bytes of a value of the label `type`.
    pub type_bytes_max: usize,
}

impl Default for MetricLimits {
    fn default() -> Self {
        Self { types_max: 100, type_bytes_max: 64 }
    }
}
