//! Owns the step from JSON to a typed input with every violation listed, not the first alone.
//!
//! serde stops at the first error. So a field that does not fit is recorded, replaced by something
//! that the type accepts, and the document read again; what the replaced fields then say about
//! themselves is dropped. The result is used only when nothing was recorded.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::violations::{Validate, Violations};

/// How many faulty fields are looked for.
const REPAIRS_MAX: usize = 16;
/// Above this size the first fault alone is reported: reading again is not worth its time.
const REPAIRED_BYTES_MAX: usize = 256 * 1024;

/// The input, or `None` with the reasons in `violations`.
pub fn parse<T: DeserializeOwned + Validate>(
    body: &Value,
    violations: &mut Violations,
) -> Option<T> {
    let fault = match read::<T>(body) {
        Ok(input) => {
            input.validate(violations);
            return violations.is_empty().then_some(input);
        }
        Err(fault) => fault,
    };
    let mut faults = vec![fault];
    let mut repaired = body.clone();
    let repairs_max = if body.to_string().len() <= REPAIRED_BYTES_MAX { REPAIRS_MAX } else { 0 };
    for _ in 0..repairs_max {
        let last = faults.last().expect("the list starts with one fault");
        match repair::<T>(&mut repaired, last) {
            Repair::Clean(input) => {
                report(faults, Some(&input), violations);
                return None;
            }
            Repair::Next(fault) => faults.push(fault),
            Repair::Stuck => break,
        }
    }
    report::<T>(faults, None, violations);
    None
}

/// One place where the document does not fit.
#[derive(Clone, Debug, PartialEq)]
struct Fault {
    pointer: String,
    code: &'static str,
    message: String,
}

enum Repair<T> {
    Clean(T),
    Next(Fault),
    Stuck,
}

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(body).map_err(|error| {
        let pointer = pointer_of(error.path());
        let message = error.into_inner().to_string();
        match message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(field) => Fault {
                pointer: format!("{pointer}/{}", escape(field)),
                code: "required",
                message: format!("Missing required field: {field}"),
            },
            None if message.starts_with("unknown field") => {
                Fault { pointer, code: "unknown", message }
            }
            None => Fault { pointer, code: "type", message },
        }
    })
}

/// Tries values in the fault's place until the reader complains about something else, or not at
/// all.
fn repair<T: DeserializeOwned>(body: &mut Value, fault: &Fault) -> Repair<T> {
    let candidates = [
        None,
        Some(json!("")),
        Some(json!(0)),
        Some(json!([])),
        Some(json!({})),
        Some(json!(false)),
    ];
    for candidate in candidates {
        let mut attempt = body.clone();
        if !place(&mut attempt, &fault.pointer, candidate) {
            return Repair::Stuck;
        }
        match read::<T>(&attempt) {
            Ok(input) => return Repair::Clean(input),
            Err(next) if !same_place(&next.pointer, &fault.pointer) => {
                *body = attempt;
                return Repair::Next(next);
            }
            Err(_) => {}
        }
    }
    Repair::Stuck
}

/// Puts `candidate` where `pointer` leads, or removes what is there. False where that is
/// impossible.
fn place(body: &mut Value, pointer: &str, candidate: Option<Value>) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let key = key.replace("~1", "/").replace("~0", "~");
    match (body.pointer_mut(parent), candidate) {
        (Some(Value::Object(fields)), Some(value)) => {
            fields.insert(key, value);
            true
        }
        (Some(Value::Object(fields)), None) => {
            fields.remove(&key);
            true
        }
        (Some(Value::Array(items)), candidate) => {
            let slot = key.parse().ok().and_then(|index: usize| items.get_mut(index));
            slot.map(|slot| *slot = candidate.unwrap_or(Value::Null)).is_some()
        }
        _ => false,
    }
}

/// Reports the faults, and what a repaired input says about fields that were not touched.
fn report<T: Validate>(faults: Vec<Fault>, repaired: Option<&T>, violations: &mut Violations) {
    let mut further = Violations::default();
    if let Some(input) = repaired {
        input.validate(&mut further);
    }
    let further = further.into_vec();
    for fault in &faults {
        violations.add(&fault.pointer, fault.code, &fault.message);
    }
    for violation in further {
        if !faults.iter().any(|fault| same_place(&violation.pointer, &fault.pointer)) {
            violations.add(violation.pointer, violation.code, violation.message);
        }
    }
}

/// Whether `pointer` is `place` or lies under it.
fn same_place(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            // A variant is no level of the document.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Item {
        url: String,
    }

    #[derive(Debug, Deserialize)]
    struct Input {
        topic: String,
        #[serde(default)]
        depth: Option<u32>,
        #[serde(default)]
        items: Vec<Item>,
        strict: bool,
    }

    impl Validate for Input {
        fn validate(&self, violations: &mut Violations) {
            violations.text("/topic", &self.topic, 1..=10);
            violations.range("/depth", self.depth.unwrap_or(1), 1..=5);
            for (index, item) in self.items.iter().enumerate() {
                violations.text(&format!("/items/{index}/url"), &item.url, 1..=20);
            }
        }
    }

    fn found(body: Value) -> Vec<(String, String)> {
        let mut violations = Violations::default();
        assert!(parse::<Input>(&body, &mut violations).is_none(), "{body}");
        violations.into_vec().into_iter().map(|v| (v.pointer, v.code)).collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn a_fitting_input_is_read() {
        let mut violations = Violations::default();
        let body = json!({"topic": "x", "strict": true, "items": [{"url": "u"}]});
        let input: Input = parse(&body, &mut violations).unwrap();
        assert_eq!((input.topic.as_str(), input.items[0].url.as_str()), ("x", "u"));
        assert!(input.strict);
    }

    #[test]
    fn all_faults_of_types_and_rules_are_listed_together() {
        assert_eq!(
            found(json!({"depth": "deep", "items": [{"url": 1}, {}, {"url": ""}]})),
            pairs(&[
                ("/depth", "type"),
                ("/items/0/url", "type"),
                ("/items/1/url", "required"),
                ("/topic", "required"),
                ("/strict", "required"),
                ("/items/2/url", "length"),
            ])
        );
        assert_eq!(
            found(json!({"topic": "", "depth": 9, "strict": false})),
            pairs(&[("/topic", "length"), ("/depth", "range")])
        );
    }

    #[test]
    fn a_replaced_field_says_nothing_about_itself() {
        assert_eq!(found(json!({"topic": 5, "strict": true})), pairs(&[("/topic", "type")]));
        assert_eq!(found(json!({"strict": true})), pairs(&[("/topic", "required")]));
    }

    #[test]
    fn the_missing_field_is_named_in_words() {
        let mut violations = Violations::default();
        assert!(parse::<Input>(&json!({"strict": true}), &mut violations).is_none());
        assert_eq!(violations.into_vec()[0].message, "Missing required field: topic");
    }

    #[test]
    fn a_large_document_is_read_once() {
        let long = "x".repeat(REPAIRED_BYTES_MAX);
        assert_eq!(
            found(json!({"topic": 1, "depth": "x", "pad": long})),
            pairs(&[("/depth", "type")])
        );
    }
}
