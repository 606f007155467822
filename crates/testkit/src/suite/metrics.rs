//! `GET /metrics`: the text format, and figures that follow what is done.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expect::{KEY_REQUIRED, completed, demand, fault, same, status};
use super::subject::BASIC;
use super::{Outcome, Phase, Subject, cases};

/// How long the counters may take to follow: an end is projected, and a page is kept.
const LOOKS: u32 = 60;
const LOOK_PAUSE: Duration = Duration::from_millis(500);
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub fn phase() -> Phase {
    Phase {
        title: "Metrics",
        cases: cases![
            "the page is text format 0.0.4, every line of it" => format,
            "histograms are cumulative and end with what they count" => histograms,
            "an execution is counted once, with its steps" => counted,
            "a client sees its account's metrics, the worker's secret all" => audiences,
            "figures are told with a credential alone" => credentials,
        ],
    }
}

type Samples = BTreeMap<String, f64>;

async fn scrape(it: &Subject, by_worker: bool) -> Result<(String, Samples), String> {
    let ask = it.get("/metrics");
    let ask = if by_worker { ask.by_worker() } else { ask.by_client() };
    let reply = ask.send().await?;
    status(&reply, 200)?;
    same("content-type", reply.header("content-type"), Some(CONTENT_TYPE))?;
    let text = reply.body.as_str().unwrap_or_default().to_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut samples = Samples::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').ok_or_else(|| format!("no value: {line}"))?;
        let value: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
        demand!(samples.insert(name.to_owned(), value).is_none(), "twice: {name}");
    }
    Ok((text, samples))
}

fn name_of(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

async fn format(it: &Subject) -> Outcome {
    let (text, samples) = scrape(it, true).await?;
    demand!(text.ends_with('\n') && samples.len() > 20, "{} samples", samples.len());
    let mut kinds = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let [_, word, name, rest] = words.as_slice() else { return Err(line.to_owned()) };
        demand!(name.starts_with("bitware_") && !rest.is_empty(), "{line}");
        match *word {
            "HELP" => {}
            "TYPE" => {
                demand!(kinds.insert(*name, *rest).is_none(), "twice: {line}");
            }
            other => return Err(format!("{other} in {line}")),
        }
    }
    for series in samples.keys() {
        let name = name_of(series);
        let parts = ["_bucket", "_sum", "_count"];
        let base = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        let kind = kinds.get(base).or_else(|| kinds.get(name));
        demand!(kind.is_some(), "{series} has no TYPE");
        let counter = kind == Some(&"counter");
        same(series, name.ends_with("_total"), counter)?;
    }
    same("complete", samples.get("bitware_scrape_complete"), Some(&1.0))
}

async fn histograms(it: &Subject) -> Outcome {
    status(it.basic().await?, 200)?;
    let (text, samples) = scrape(it, true).await?;
    let mut last: Option<(String, f64)> = None;
    for line in text.lines().filter(|line| name_of(line).ends_with("_bucket")) {
        let (series, bound) = line.split_once("le=\"").ok_or("a bucket without le")?;
        let value: f64 = line.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(-1.0);
        if let Some((before, passed)) = &last
            && before == series
        {
            demand!(value >= *passed, "it falls: {line}");
        }
        if bound.starts_with("+Inf") {
            let labels = series.split_once('{').map_or("", |(_, it)| it).trim_end_matches(',');
            let name = name_of(series).trim_end_matches("_bucket");
            let count = samples.get(&format!("{name}_count{{{labels}}}"));
            same(series, count, Some(&value))?;
        }
        last = Some((series.to_owned(), value));
    }
    Ok(())
}

async fn counted(it: &Subject) -> Outcome {
    let executions = format!(
        "bitware_executions_total{{template=\"{BASIC}\",strategy=\"balanced\",\
         status=\"completed\"}}"
    );
    let steps = "bitware_steps_total{worker=\"topic_researcher\",outcome=\"succeeded\"}";
    // What others do meanwhile counts as well: at least one more, and never less.
    let (_, before) = scrape(it, true).await?;
    let reply = it.complete(&it.basic_request()).await?;
    completed(&reply)?;
    let value = |samples: &Samples, name: &str| samples.get(name).copied().unwrap_or(0.0);
    for _ in 0..LOOKS {
        let (_, after) = scrape(it, true).await?;
        let fell = before.iter().find(|(series, value)| {
            name_of(series).ends_with("_total") && after.get(*series).is_none_or(|n| n < value)
        });
        demand!(fell.is_none(), "a counter fell: {fell:?}");
        let more = |name: &str| value(&after, name) >= value(&before, name) + 1.0;
        if more(&executions) && more(steps) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Err(format!("{executions} and {steps} did not grow"))
}

async fn audiences(it: &Subject) -> Outcome {
    let (_, own) = scrape(it, false).await?;
    let (_, all) = scrape(it, true).await?;
    for name in ["bitware_d1_size_bytes", "bitware_shards_silent", "bitware_shard_size_bytes"] {
        let has = |samples: &Samples| samples.keys().any(|series| name_of(series) == name);
        demand!(!has(&own), "a client sees {name}");
        demand!(has(&all) || name == "bitware_shard_size_bytes", "{name} is missing");
    }
    let others = own.keys().filter(|series| series.contains("account=\"")).collect::<Vec<_>>();
    demand!(others.iter().all(|series| series.contains("account=\"default\"")), "{others:?}");
    Ok(())
}

async fn credentials(it: &Subject) -> Outcome {
    let reply = it.get("/metrics").send().await?;
    fault(&reply, KEY_REQUIRED)
}
