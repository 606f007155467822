//! The Prometheus text format, version 0.0.4: how samples are written. It must know no metric.
//! See <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write;

/// The media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric: what its samples have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, with the unit last; a counter's ends in `_total`.
    pub name: &'static str,
    /// What it counts or measures.
    pub kind: Kind,
    /// What tells its samples apart.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It never falls.
    Counter,
    /// It is what it is now.
    Gauge,
    /// It counts durations in buckets.
    Histogram,
}

impl Kind {
    /// The word of the format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Durations of one series, by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many fell into each bucket, the last one being without a bound.
    pub counts: Vec<u64>,
    /// Their sum.
    pub sum_ms: u64,
}

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Begins a metric: its samples must follow.
    pub fn metric(&mut self, metric: &Metric) {
        let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
        let (name, kind) = (metric.name, metric.kind.as_str());
        self.line(&format!("# HELP {name} {help}"));
        self.line(&format!("# TYPE {name} {kind}"));
    }

    /// Writes a sample; `labels` are the values of the metric's labels, in their order.
    pub fn sample(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        let labels = pairs(metric, labels);
        self.line(&format!("{}{} {value}", metric.name, braced(&labels)));
    }

    /// Writes the samples of one series of a histogram whose buckets end at `bounds_ms`.
    pub fn histogram(
        &mut self,
        metric: &Metric,
        labels: &[&str],
        bounds_ms: &[u64],
        durations: &Durations,
    ) {
        let (name, labels) = (metric.name, pairs(metric, labels));
        let bounds = bounds_ms.iter().map(|ms| seconds(*ms).to_string());
        let mut passed = 0;
        for (at, bound) in bounds.chain(["+Inf".to_owned()]).enumerate() {
            passed += durations.counts.get(at).copied().unwrap_or(0);
            let mut labels = labels.clone();
            labels.push(format!("le=\"{bound}\""));
            self.line(&format!("{name}_bucket{} {passed}", braced(&labels)));
        }
        self.line(&format!("{name}_sum{} {}", braced(&labels), seconds(durations.sum_ms)));
        self.line(&format!("{name}_count{} {passed}", braced(&labels)));
    }

    /// The page as it is sent.
    pub fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: &str) {
        writeln!(self.0, "{line}").expect("a text takes every line");
    }
}

fn pairs(metric: &Metric, values: &[&str]) -> Vec<String> {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let pair = |(name, value): (&&str, &&str)| format!("{name}=\"{}\"", escaped(value));
    metric.labels.iter().zip(values).map(pair).collect()
}

fn braced(pairs: &[String]) -> String {
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Metric = Metric {
        name: "calls_total",
        kind: Kind::Counter,
        labels: &["worker", "kind"],
        help: "Calls,\nby \\ worker.",
    };
    const TOOK: Metric =
        Metric { name: "took_seconds", kind: Kind::Histogram, labels: &["worker"], help: "Time." };
    const UP: Metric = Metric { name: "up", kind: Kind::Gauge, labels: &[], help: "Whether." };

    #[test]
    fn a_page_is_what_the_format_says() {
        let mut page = Page::default();
        page.metric(&CALLS);
        page.sample(&CALLS, &["a\"b\\c\nd", "é{}=,"], 12_345_678_901.0);
        page.metric(&UP);
        page.sample(&UP, &[], 0.25);
        page.metric(&TOOK);
        let durations = Durations { counts: vec![2, 0, 3, 1], sum_ms: 90_510 };
        page.histogram(&TOOK, &["w"], &[50, 1_000, 2_500], &durations);
        let expected = r#"# HELP calls_total Calls,\nby \\ worker.
# TYPE calls_total counter
calls_total{worker="a\"b\\c\nd",kind="é{}=,"} 12345678901
# HELP up Whether.
# TYPE up gauge
up 0.25
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{worker="w",le="0.05"} 2
took_seconds_bucket{worker="w",le="1"} 2
took_seconds_bucket{worker="w",le="2.5"} 5
took_seconds_bucket{worker="w",le="+Inf"} 6
took_seconds_sum{worker="w"} 90.51
took_seconds_count{worker="w"} 6
"#;
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn a_series_without_durations_has_all_its_buckets() {
        let mut page = Page::default();
        page.histogram(&TOOK, &["w"], &[50], &Durations::default());
        let text = page.into_text();
        assert_eq!(text.lines().filter(|line| line.ends_with(" 0")).count(), 4, "{text}");
    }
}
