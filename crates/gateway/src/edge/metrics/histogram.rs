//! How long things take, in buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::text::Text;

/// Upper bounds of the buckets: in microseconds, and in seconds as they are written.
const BOUNDS: [(u64, &str); 18] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (60_000_000, "60"),
];

/// Each bucket holds what belongs to no smaller one; the last has no bound.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(super) fn note(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|(bound, _)| took > Duration::from_micros(*bound));
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// With the buckets added up, as the format wants it.
    pub(super) fn write(&self, text: &mut Text, name: &str, server: &str) {
        let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds).chain(["+Inf"]);
        let mut sum = 0;
        for (bound, bucket) in bounds.zip(&self.buckets) {
            sum += bucket.load(Ordering::Relaxed);
            text.sample(&format!("{name}_bucket"), &[("server", server), ("le", bound)], sum);
        }
        let seconds = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        text.sample(&format!("{name}_sum"), &[("server", server)], seconds);
        text.sample(&format!("{name}_count"), &[("server", server)], sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Cumulative": each bucket holds all that is not longer than its bound.
    #[test]
    fn a_bound_is_within_its_bucket() {
        let histogram = Histogram::default();
        for micros in [50, 51, 1_000_000, 70_000_000] {
            histogram.note(Duration::from_micros(micros));
        }
        let mut text = Text::default();
        histogram.write(&mut text, "x", "s");
        let text = text.into_string();
        for (bound, count) in [("0.00005", 1), ("0.0001", 2), ("0.5", 2), ("1", 3), ("60", 3), ("+Inf", 4)] {
            let line = format!("x_bucket{{server=\"s\",le=\"{bound}\"}} {count}");
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(
            text.contains("x_sum{server=\"s\"} 71.000101\n") && text.contains("x_count{server=\"s\"} 4\n")
        );
    }

    #[test]
    fn bounds_are_written_as_they_are() {
        for (micros, seconds) in BOUNDS {
            let written: f64 = seconds.parse().unwrap();
            assert!((written - Duration::from_micros(micros).as_secs_f64()).abs() < 1e-9, "{seconds}");
        }
        assert!(BOUNDS.is_sorted());
    }
}
