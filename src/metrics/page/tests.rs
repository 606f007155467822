//! The page, by a parser of its own that is strict about the format.

use engine::admission::GateFigures;
use engine::time::Timestamp;

use super::super::METRICS;
use super::super::text::Kind;
use super::*;

fn total(name: &str, labels: &[&str], value: u64) -> Total {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Total { name: name.to_owned(), labels, value, since: "2026-11-01".to_owned() }
}

fn found() -> Found {
    let gate = GateFigures {
        worker: "odd \"w\"\\\n".to_owned(),
        circuit: Circuit::HalfOpen,
        open_until: Some(Timestamp::from_millis(0)),
        cooldown_until: None,
        calls: 2,
        waiting: 1,
    };
    let shard =
        Shard { open: 3, driven: 1, parked: 1, due: 1, size_bytes: 4096, ..Shard::default() };
    Found {
        build: ("0.1.0".to_owned(), "local".to_owned()),
        totals: vec![
            total(names::EXECUTIONS, &["t", "balanced", "completed"], 3),
            total(names::EXECUTIONS, &["t", "balanced", "failed"], 1),
            total(names::EXECUTION_CACHE_HITS, &["t"], 1),
            total(names::EXECUTION_DURATION, &["t", "0"], 1),
            total(names::EXECUTION_DURATION, &["t", "3"], 1),
            total(names::EXECUTION_DURATION, &["t", "14"], 1),
            total(names::EXECUTION_DURATION_MS, &["t"], 700_210),
            total(names::STEPS, &["", "succeeded"], 2),
            total(names::STEPS, &["w", "succeeded"], 4),
            total(names::STEP_CACHE_HITS, &["w"], 2),
            total(names::STEP_RETRIES, &["w"], 0),
            total(names::STEP_DURATION, &["w", "1"], 4),
            total(names::STEP_DURATION_MS, &["w"], 99),
        ],
        spent: vec![Spent {
            worker_name: "w".to_owned(),
            calls: 9,
            failures: 2,
            cost_micro_usd: 1_250_000,
            since: "2026-11-01".to_owned(),
        }],
        accounts: vec![AccountGauges {
            account: "acme".to_owned(),
            gates: Gates { places: 2, waiting: 1, gates: vec![gate], ..Gates::default() },
            live: Some(Live { connections: 3, subscriptions: 4, delivered: 50, dropped: 1 }),
        }],
        installation: Some(Installation {
            workers: vec![WorkerState {
                worker_name: "w".to_owned(),
                health_status: "degraded".to_owned(),
            }],
            shards: vec![(0, shard), (7, shard)],
            shards_silent: 6,
            sweep_age_s: Some(31),
            d1_size_bytes: Some(1 << 40),
            d1_errors: BTreeMap::from([("overloaded".to_owned(), 5)]),
            security_events: BTreeMap::from([("sign_in_failed".to_owned(), 6)]),
            alerts: vec![Alerts { kind: "capacity".into(), severity: "warning".into(), count: 1 }],
            ready: true,
            problems: 2,
        }),
        jobs: BTreeMap::from([("running".to_owned(), 4)]),
        complete: true,
    }
}

/// What the format demands of a page, checked line by line; the samples by name and labels.
fn parsed(text: &str) -> BTreeMap<(String, Vec<(String, String)>), f64> {
    let mut samples = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut current: Option<(String, String)> = None;
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("HELP has a text");
            assert!(!help.is_empty() && seen.insert(name.to_owned()), "{line}");
            current = Some((name.to_owned(), String::new()));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("TYPE has a kind");
            let (known, known_kind) = current.as_mut().expect("TYPE follows HELP");
            assert_eq!(known, name);
            kind.clone_into(known_kind);
        } else {
            let (key, value) = sample(line);
            let (name, kind) = current.as_ref().expect("a sample has a metric");
            let suffix = key.0.strip_prefix(name.as_str()).unwrap_or_else(|| panic!("{line}"));
            let fits = match kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                "counter" | "gauge" => suffix.is_empty(),
                other => panic!("{other}"),
            };
            assert!(fits && value >= 0.0, "{line}");
            assert!(samples.insert(key, value).is_none(), "twice: {line}");
        }
    }
    samples
}

/// `name{label="value",…} value`
fn sample(line: &str) -> ((String, Vec<(String, String)>), f64) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = line.find(|c| !is_name(c)).expect("a name ends");
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label has a value");
            assert!(label.chars().all(is_name), "{line}");
            let (mut value, mut chars) = (String::new(), after.char_indices());
            let close = loop {
                match chars.next().expect("a value ends") {
                    (_, '\\') => match chars.next().expect("something is escaped").1 {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        other => panic!("\\{other} in {line}"),
                    },
                    (at, '"') => break at,
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &after[close + 1..];
            match rest.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => break rest = more,
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("a blank before the value");
    ((name.to_owned(), labels), value.parse().unwrap_or_else(|_| panic!("{line}")))
}

#[test]
fn every_metric_is_on_the_page_and_the_page_is_well_formed() {
    let text = page(&found());
    let samples = parsed(&text);
    for metric in METRICS {
        assert!(text.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.as_str())));
        let is_own = |name: &str| {
            let suffix = name.strip_prefix(metric.name);
            suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
        };
        let own: Vec<_> = samples.keys().filter(|(name, _)| is_own(name)).collect();
        assert!(!own.is_empty(), "{} has no sample", metric.name);
        for (_, labels) in own {
            let names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.strip_suffix(&["le"]).unwrap_or(&names);
            assert_eq!(names, metric.labels, "{}", metric.name);
        }
    }
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let order: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
    let listed: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(order, listed, "in the order of the list");
}

#[test]
fn values_are_those_that_were_found() {
    let samples = parsed(&page(&found()));
    let value = |name: &str, labels: &[(&str, &str)]| {
        let owned = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        *samples.get(&(format!("bitware_{name}"), owned)).unwrap_or_else(|| panic!("{name}"))
    };
    let of_t = ("template", "t");
    let ended = |status| [of_t, ("strategy", "balanced"), ("status", status)];
    assert_eq!(value("executions_total", &ended("completed")), 3.0);
    assert_eq!(value("executions_total", &ended("failed")), 1.0);
    for (le, expected) in [("0.01", 1.0), ("0.1", 1.0), ("0.25", 2.0), ("600", 2.0), ("+Inf", 3.0)]
    {
        assert_eq!(value("execution_duration_seconds_bucket", &[of_t, ("le", le)]), expected);
    }
    assert_eq!(value("execution_duration_seconds_count", &[of_t]), 3.0);
    assert_eq!(value("execution_duration_seconds_sum", &[of_t]), 700.21);
    assert_eq!(value("cost_usd_total", &[("worker", "w")]), 1.25);
    let odd = "odd \"w\"\\\n";
    for (state, expected) in [("closed", 0.0), ("half_open", 1.0), ("open", 0.0)] {
        let labels = [("account", "acme"), ("worker", odd), ("state", state)];
        assert_eq!(value("breaker_state", &labels), expected);
    }
    assert_eq!(value("queue_depth", &[]), 2.0);
    assert_eq!(value("shard_size_bytes", &[("shard", "7")]), 4096.0);
    assert_eq!(value("d1_size_bytes", &[]), (1_u64 << 40) as f64);
}

#[test]
fn an_account_sees_nothing_of_the_installation() {
    let mut found = found();
    found.installation = None;
    let text = page(&found);
    parsed(&text);
    for name in ["shard", "d1_", "queue_depth", "worker_health", "alerts", "sweep"] {
        assert!(!text.contains(&format!("bitware_{name}")), "{name}");
    }
    assert!(text.contains("bitware_executions_total"));
}

#[test]
fn names_beyond_the_bound_share_one_and_the_first_keep_theirs() {
    let mut found = Found::default();
    for n in 0..NAMES_MAX + 5 {
        let since = format!("2026-11-21T00:00:00.{n:03}Z");
        // By name the last come first.
        let template = format!("t{:03}", 999 - n);
        let labels = [template.as_str(), "balanced", "completed"];
        found.totals.push(Total { since, ..total(names::EXECUTIONS, &labels, 2) });
    }
    let text = page(&found);
    let series = text.lines().filter(|line| line.starts_with("bitware_executions_total{"));
    assert_eq!(series.clone().count(), NAMES_MAX + 1);
    let other = series.clone().find(|line| line.contains("template=\"other\""));
    assert!(other.is_some_and(|line| line.ends_with(" 10")), "{other:?}");
    assert!(series.clone().any(|line| line.contains("\"t999\"")), "the first has its own");
    assert!(METRICS.iter().any(|metric| metric.kind == Kind::Histogram));
}
