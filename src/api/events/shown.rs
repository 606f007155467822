//! Events as clients see them: the journal's, without the snapshot of the template, with moments in
//! ISO 8601 and money in dollars.

use engine::ids::Seq;
use engine::money::MicroUsd;
use engine::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::db::iso;

/// What of a start is shown besides the template's name.
const STARTED: [&str; 10] = [
    "type",
    "id",
    "account",
    "at",
    "revision",
    "request",
    "terms",
    "parent",
    "restarted_from",
    "content_hash",
];
/// Fields of events that are amounts in micro-USD.
const MONEY: [&str; 7] = ["cost", "reserved", "budget", "saved", "needed", "spent", "limit"];
/// Fields of events that have such fields themselves.
const NESTED: [&str; 3] = ["terms", "memoised", "reason"];
/// Fields of events that are payloads: their value, or where it lies.
const PAYLOADS: [&str; 2] = ["output", "payload"];

type Fields = Map<String, Value>;

/// How many events a record holds.
pub fn count(record: &str) -> Option<usize> {
    serde_json::from_str::<Vec<serde::de::IgnoredAny>>(record).ok().map(|events| events.len())
}

/// The events of a record.
pub fn told(record: &str) -> Result<Vec<Fields>, serde_json::Error> {
    let events: Vec<Fields> = serde_json::from_str(record)?;
    Ok(events.into_iter().map(|event| shown(&kind(&event), event)).collect())
}

/// The events of a record as server-sent events, without the first `skip` of them.
pub fn frames(seq: Seq, record: &str, skip: usize) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for (n, event) in (1..).zip(told(record)?).skip(skip) {
        let (kind, data) = (kind(&event), Value::Object(event));
        text.push_str(&format!("id: {seq}.{n}\nevent: {kind}\ndata: {data}\n\n"));
    }
    Ok(text)
}

fn kind(event: &Fields) -> String {
    event.get("type").and_then(Value::as_str).unwrap_or("event").to_owned()
}

fn shown(kind: &str, event: Fields) -> Fields {
    let mut event = if kind == "started" { started(event) } else { event };
    for name in PAYLOADS {
        if let Some(payload) = event.get_mut(name).map(Value::take) {
            event.remove(name);
            show_payload(&mut event, name, payload);
        }
    }
    for name in NESTED {
        if let Some(Value::Object(fields)) = event.get_mut(name) {
            show_units(fields);
        }
    }
    show_units(&mut event);
    event
}

fn started(event: Fields) -> Fields {
    let template = event.get("definition").and_then(|it| it.get("name")).cloned();
    let mut kept: Fields =
        event.into_iter().filter(|(name, _)| STARTED.contains(&name.as_str())).collect();
    kept.insert("template".to_owned(), template.unwrap_or_default());
    kept
}

/// A payload as its value; one that lies elsewhere as its size.
fn show_payload(event: &mut Fields, name: &str, payload: Value) {
    let Value::Object(mut form) = payload else {
        event.insert(name.to_owned(), payload);
        return;
    };
    if let Some(value) = form.remove("v") {
        event.insert(name.to_owned(), value);
    } else if let Some(stored) = form.remove("r") {
        event.insert(format!("{name}_bytes"), stored["bytes"].clone());
    }
}

fn show_units(fields: &mut Fields) {
    for (name, value) in std::mem::take(fields) {
        let is_moment = matches!(name.as_str(), "at" | "until") || name.ends_with("_at");
        match value.as_i64() {
            Some(ms) if is_moment => {
                fields.insert(name, iso(Timestamp::from_millis(ms)).into());
            }
            Some(micros) if MONEY.contains(&name.as_str()) => {
                let usd = MicroUsd::from_micros(micros.max(0).unsigned_abs()).as_usd();
                fields.insert(format!("{name}_usd"), json!(usd));
            }
            _ => {
                fields.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::execution::{Event, Payload, StoredRef};

    use super::*;
    use crate::cache::tests::begun;
    use crate::journal::replay;

    fn data(events: &[Event]) -> Vec<Value> {
        let record = replay::record(events).unwrap();
        assert_eq!(count(&record), Some(events.len()));
        let text = frames(Seq(3), &record, 0).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_start_shows_the_request_and_not_the_snapshot() {
        let step = json!({ "name": "a", "order": 1, "kind": "transform", "input_mapping": {} });
        let state = begun(json!({ "name": "t", "steps": [step] }), json!({ "topic": "x" }));
        let started = Event::Started(Box::new((*state.started).clone()));
        let shown = &data(&[started])[0];
        assert_eq!(shown["template"], "t");
        assert_eq!(shown["request"], json!({ "topic": "x" }));
        assert_eq!(shown["at"], "1970-01-01T00:00:00.000Z");
        for (name, expected) in [("type", "started"), ("account", "default")] {
            assert_eq!(shown[name], expected);
        }
        assert!(shown["terms"]["strategy"].is_string());
        for hidden in ["definition", "traceparent", "format"] {
            assert!(shown.get(hidden).is_none(), "{hidden}");
        }
    }

    fn succeeded(output: Payload) -> Event {
        let event = json!({
            "type": "step_succeeded", "step": "a", "fence": 7, "at": 1000, "output": output,
            "cost": 20_000,
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn an_output_is_shown_and_a_large_one_by_its_size() {
        let mut large = Payload::inline(json!("x"));
        large.set_stored(StoredRef { key: "outputs/secret".to_owned(), bytes: 70_000 });
        let shown = data(&[succeeded(Payload::inline(json!({ "v": 1 }))), succeeded(large)]);
        assert_eq!(shown[0]["output"], json!({ "v": 1 }));
        assert_eq!((&shown[0]["cost_usd"], &shown[0]["fence"]), (&json!(0.02), &json!(7)));
        assert_eq!(shown[0]["at"], "1970-01-01T00:00:01.000Z");
        assert!(shown[0].get("cost").is_none());
        assert_eq!(shown[1]["output_bytes"], 70_000);
        assert!(!shown[1].to_string().contains("outputs/"), "{}", shown[1]);
    }

    #[test]
    fn each_event_has_its_id_its_type_and_one_line() {
        let text = frames(Seq(3), r#"[{"type":"x","at":1,"m":"a\nb"},{"type":"y","at":2}]"#, 1);
        assert_eq!(
            text.unwrap(),
            "id: 3.2\nevent: y\ndata: {\"at\":\"1970-01-01T00:00:00.002Z\",\"type\":\"y\"}\n\n"
        );
        let text = frames(Seq(1), r#"[{"type":"x","at":1,"m":"a\nb"}]"#, 0).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(frames(Seq(1), "nonsense", 0).is_err());
    }
}
