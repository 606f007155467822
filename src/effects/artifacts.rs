//! What a tool returned under `artifacts`: read, checked, and given the ids under which it is
//! recorded. An id follows from execution, path, generation and place, so that recording twice
//! records once. It touches nothing of the platform.

use engine::execution::{Part, Payload, State, StepStatus, Unit, Work};
use engine::plan::{Kind, StepIndex, Violation};
use serde_json::{Map, Value};

use crate::templates::sha256_hex;

/// The most artifacts of one call that are recorded.
pub const ARTIFACTS_MAX: usize = 100;
const FILE_NAME_CHARS_MAX: usize = 255;
const MIME_TYPE_CHARS: std::ops::RangeInclusive<usize> = 3..=255;
const POINTER_CHARS_MAX: usize = 2048;
/// The largest size that D1 keeps exactly.
const SIZE_BYTES_MAX: u64 = 1 << 53;
const MIME_TYPE_DEFAULT: &str = "application/octet-stream";

/// A file that a tool made, as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its place in the list.
    pub place: usize,
    /// Its name.
    pub file_name: String,
    /// What it is.
    pub mime_type: String,
    /// Where it lies, if that was said.
    pub storage_pointer: Option<String>,
    /// How large it is.
    pub size_bytes: u64,
}

/// A file with what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The id under which it is recorded.
    pub id: String,
    /// The tool that made it.
    pub tool_id: String,
    /// The path of the step for which it was made.
    pub step: String,
    /// What the tool told.
    pub made: Made,
}

/// The output of a call of a tool, done for the execution itself.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// The path of its step.
    pub step: String,
    /// The tool.
    pub tool_id: &'a str,
    /// How often the step was asked for anew.
    pub generation: u32,
    /// What it gave.
    pub output: &'a Payload,
    /// Which result of a map that is, where only the whole map's output is kept.
    pub element: Option<usize>,
}

/// What the tools of an execution gave, as it stands. What an earlier call had given made nothing.
pub fn given(state: &State) -> Vec<Given<'_>> {
    let mut found = Vec::new();
    for index in state.plan.indices() {
        let units = match &state.plan.step(index).kind {
            Kind::Tool(_) => vec![Unit::whole(index)],
            Kind::Map(each) if each.call.primary.tool.is_some() => elements(state, index),
            Kind::Worker(_)
            | Kind::Map(_)
            | Kind::Transform
            | Kind::Wait(_)
            | Kind::Pipeline(_) => continue,
        };
        found.extend(units.into_iter().filter_map(|unit| given_by(state, unit)));
    }
    found
}

fn elements(state: &State, index: StepIndex) -> Vec<Unit> {
    let count = state.step(index).map.as_ref().map_or(0, |map| map.elements.len());
    (0..u32::try_from(count).unwrap_or(u32::MAX)).map(|at| Unit::element(index, at)).collect()
}

fn given_by(state: &State, unit: Unit) -> Option<Given<'_>> {
    let work: &Work = state.work(unit)?;
    let reused = unit.part == Part::Whole && state.step(unit.step).reused_from.is_some();
    if work.status != StepStatus::Succeeded || work.memoised.is_some() || reused {
        return None;
    }
    let tool = state.target(unit, work.fallback)?.tool.as_ref()?;
    // Of a map that is settled the elements' outputs stand in the step's.
    let (output, element) = match (&work.output, unit.part) {
        (Some(output), _) => (output, None),
        (None, Part::Element(at)) => (state.step(unit.step).output.as_ref()?, Some(at as usize)),
        (None, Part::Whole | Part::Undo) => return None,
    };
    Some(Given {
        step: state.plan.path(unit),
        tool_id: &tool.id,
        generation: work.generation,
        output,
        element,
    })
}

impl Given<'_> {
    /// The artifacts that its output names; none while the output is not at hand.
    pub fn artifacts(&self, execution: &str) -> Vec<Artifact> {
        let Some(output) = self.output.value() else { return Vec::new() };
        let told: &Value = match self.element {
            Some(at) => &output["results"][at],
            None => output,
        };
        let (made, _) = read(told);
        let artifact = |made: Made| Artifact {
            id: id(execution, &self.step, self.generation.into(), made.place),
            tool_id: self.tool_id.to_owned(),
            step: self.step.clone(),
            made,
        };
        made.into_iter().map(artifact).collect()
    }
}

/// The id of an artifact: a UUID of version 8, whose bits are ours to choose (RFC 9562, 5.8).
pub fn id(execution: &str, step: &str, generation: u64, place: usize) -> String {
    let name = format!("{execution}/{step}/{generation}/artifacts/{place}");
    let hash = sha256_hex(name.as_bytes());
    let variant = match hash.as_bytes()[16] & 3 {
        0 => '8',
        1 => '9',
        2 => 'a',
        _ => 'b',
    };
    let (a, b, c, d, e) = (&hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32]);
    format!("{a}-{b}-8{c}-{variant}{d}-{e}")
}

/// The artifacts that an output names, and what of them cannot be recorded, with its place.
pub fn read(output: &Value) -> (Vec<Made>, Vec<Violation>) {
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    match output.get("artifacts") {
        None | Some(Value::Null) => {}
        Some(Value::Array(entries)) => {
            for (place, entry) in entries.iter().enumerate().take(ARTIFACTS_MAX) {
                match one(place, entry) {
                    Ok(one) => made.push(one),
                    Err(violation) => refused.push(violation),
                }
            }
            if entries.len() > ARTIFACTS_MAX {
                let message = format!("{} of {} are recorded", ARTIFACTS_MAX, entries.len());
                refused.push(violation("/artifacts", "maxItems", message));
            }
        }
        Some(_) => refused.push(violation("/artifacts", "type", "is no array")),
    }
    (made, refused)
}

fn one(place: usize, entry: &Value) -> Result<Made, Violation> {
    let base = format!("/artifacts/{place}");
    let Value::Object(fields) = entry else { return Err(violation(base, "type", "is no object")) };
    let file_name = text(fields, &base, "file_name", 1..=FILE_NAME_CHARS_MAX)?;
    let missing = || violation(format!("{base}/file_name"), "required", "is required");
    let mime_type = text(fields, &base, "mime_type", MIME_TYPE_CHARS)?;
    let size = fields.get("size_bytes").filter(|size| !size.is_null());
    let size_bytes = match size {
        None => 0,
        Some(size) => size.as_u64().filter(|size| *size <= SIZE_BYTES_MAX).ok_or_else(|| {
            violation(format!("{base}/size_bytes"), "type", "is no whole number from 0 to 2^53")
        })?,
    };
    Ok(Made {
        place,
        file_name: file_name.ok_or_else(missing)?,
        mime_type: mime_type.unwrap_or_else(|| MIME_TYPE_DEFAULT.to_owned()),
        storage_pointer: text(fields, &base, "storage_pointer", 1..=POINTER_CHARS_MAX)?,
        size_bytes,
    })
}

/// A field that is a text of so many characters, if it is there.
fn text(
    fields: &Map<String, Value>,
    base: &str,
    name: &str,
    chars: std::ops::RangeInclusive<usize>,
) -> Result<Option<String>, Violation> {
    let found = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(violation(format!("{base}/{name}"), "type", "is no text")),
    };
    // NUL ends a text in the database.
    if !chars.contains(&found.chars().count()) || found.contains('\0') {
        let message = format!("has not {} to {} characters", chars.start(), chars.end());
        return Err(violation(format!("{base}/{name}"), "length", message));
    }
    Ok(Some(found.clone()))
}

fn violation(pointer: impl Into<String>, code: &str, message: impl Into<String>) -> Violation {
    Violation { pointer: pointer.into(), code: code.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_recorded_is_and_the_rest_is_told() {
        let (made, refused) = read(&json!({"artifacts": [
            {"file_name": "a.pdf", "mime_type": "application/pdf", "size_bytes": 7,
             "storage_pointer": "r2://reports/a.pdf"},
            {"file_name": "b"},
            "c",
            {"mime_type": "text/plain"},
            {"file_name": "", "size_bytes": 1},
            {"file_name": "d", "size_bytes": -1},
            {"file_name": "e", "size_bytes": 1.5},
            {"file_name": "f", "mime_type": 1},
            {"file_name": "g", "storage_pointer": "x".repeat(2049)},
        ]}));
        assert_eq!(made.len(), 2);
        assert_eq!((made[0].place, made[0].size_bytes), (0, 7));
        assert_eq!((made[1].place, made[1].mime_type.as_str()), (1, MIME_TYPE_DEFAULT));
        let told: Vec<_> = refused.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect();
        let expected = [
            ("/artifacts/2", "type"),
            ("/artifacts/3/file_name", "required"),
            ("/artifacts/4/file_name", "length"),
            ("/artifacts/5/size_bytes", "type"),
            ("/artifacts/6/size_bytes", "type"),
            ("/artifacts/7/mime_type", "type"),
            ("/artifacts/8/storage_pointer", "length"),
        ];
        assert_eq!(told, expected);
        for none in [json!({}), json!({"artifacts": null}), json!(["artifacts"]), json!(7)] {
            assert_eq!(read(&none), (Vec::new(), Vec::new()), "{none}");
        }
        let (made, refused) = read(&json!({"artifacts": {"file_name": "a"}}));
        assert_eq!((made.len(), refused[0].pointer.as_str()), (0, "/artifacts"));
        let many: Vec<Value> = (0..101).map(|n| json!({"file_name": n.to_string()})).collect();
        let (made, refused) = read(&json!({ "artifacts": many }));
        assert_eq!((made.len(), refused.len()), (100, 1));
    }

    #[test]
    fn an_id_follows_from_what_was_done() {
        let one = id("pipe_1_a", "count", 1, 0);
        assert_eq!(one, id("pipe_1_a", "count", 1, 0));
        assert_eq!((one.len(), one.as_bytes()[14]), (36, b'8'));
        let parsed = uuid(&one);
        assert!(parsed, "{one}");
        for other in [
            id("pipe_1_b", "count", 1, 0),
            id("pipe_1_a", "count[0]", 1, 0),
            id("pipe_1_a", "count", 2, 0),
            id("pipe_1_a", "count", 1, 1),
        ] {
            assert_ne!(one, other);
        }
    }

    fn uuid(text: &str) -> bool {
        text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_hexdigit(),
        })
    }
}
