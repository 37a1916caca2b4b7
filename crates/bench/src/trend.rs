//! Whether a figure grows: a straight line through samples, and how sure it is.

/// Samples of a figure.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    samples: Vec<(f64, f64)>,
}

/// The line's slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// What the figure grows by for each unit of the other.
    pub per_unit: f64,
    /// The standard error of that.
    pub standard_error: f64,
}

impl Trend {
    /// Notes that the figure is `y` at `x`.
    pub fn add(&mut self, x: f64, y: f64) {
        self.samples.push((x, y));
    }

    /// The line of least squares; `None` of fewer than three samples, or of one moment.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
    pub fn slope(&self) -> Option<Slope> {
        let count = self.samples.len() as f64;
        if count < 3.0 {
            return None;
        }
        let mean =
            |pick: fn(&(f64, f64)) -> f64| self.samples.iter().map(pick).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|it| it.0), mean(|it| it.1));
        let spread: f64 = self.samples.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        if spread <= 0.0 {
            return None;
        }
        let common: f64 = self.samples.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        let per_unit = common / spread;
        let rest = |&(x, y): &(f64, f64)| (y - y_mean - per_unit * (x - x_mean)).powi(2);
        let residual = self.samples.iter().map(rest).sum::<f64>() / (count - 2.0);
        Some(Slope { per_unit, standard_error: (residual / spread).sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use super::Trend;

    #[test]
    fn a_line_is_found_and_its_noise() {
        let check = |samples: &[(f64, f64)], expected: Option<(f64, f64)>| {
            let mut trend = Trend::default();
            samples.iter().for_each(|&(x, y)| trend.add(x, y));
            let found =
                trend.slope().map(|it| (it.per_unit, (it.standard_error * 1e3).round() / 1e3));
            assert_eq!(found, expected, "{samples:?}");
        };
        check(&[(0.0, 1.0), (1.0, 2.0)], None);
        check(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)], None);
        check(&[(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)], Some((0.0, 0.0)));
        check(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)], Some((2.0, 0.0)));
        check(&[(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)], Some((0.0, 1.732)));
    }
}
