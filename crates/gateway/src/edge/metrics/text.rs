//! The text format of Prometheus (`text/plain; version=0.0.4`).

use std::fmt::{Display, Write};

/// What a scraper reads.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// Its media type.
    pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family: its samples follow at once. `kind` is `counter`, `gauge` or `histogram`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, value) in labels {
            let _ = write!(self.0, "{before}{label}=\"");
            self.escaped(value);
            self.0.push('"');
            before = ',';
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// One sample of a counter, where there is something to count: most rules are never broken.
    pub fn sample_if_any(&mut self, name: &str, labels: &[(&str, &str)], count: u64) {
        if count > 0 {
            self.sample(name, labels, count);
        }
    }

    /// All of it.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    fn escaped(&mut self, value: &str) {
        for letter in value.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let mut text = Text::default();
        text.family("x", "gauge", "What it is.");
        text.sample("x", &[], 1);
        text.sample("x", &[("a", "q\"\\\nz"), ("b", "")], 0.5);
        text.sample_if_any("x", &[("a", "never")], 0);
        let expected = "# HELP x What it is.\n# TYPE x gauge\nx 1\nx{a=\"q\\\"\\\\\\nz\",b=\"\"} 0.5\n";
        assert_eq!(text.into_string(), expected);
    }
}
