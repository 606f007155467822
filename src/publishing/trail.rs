//! What differs between a template as it is and as it becomes, and what the audit log says of it.
//! Pure.

use api_types::admin::TemplateDocument;
use serde_json::{Map, Value, json};

use super::check::Checked;
use super::document;

/// The most bytes of steps that an entry of the audit log shows; the revision has them all.
const LOGGED_BYTES_MAX: usize = 32 * 1024;

/// What the audit log says of a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logged {
    /// How it was; `None` where it is new.
    pub before: Option<Value>,
    /// How it becomes; `None` where it goes.
    pub after: Option<Value>,
}

/// What a change changes.
pub(super) struct Difference {
    /// Whether the document stays as it is.
    pub(super) is_nothing: bool,
    /// Whether the steps change.
    pub(super) in_steps: bool,
    /// Whether anything changes that a revision holds.
    pub(super) in_content: bool,
    /// The attributes that change, steps included.
    fields: Vec<String>,
}

impl Difference {
    /// What changes from `before` to `after`.
    pub(super) fn of(before: Option<&TemplateDocument>, after: &TemplateDocument) -> Self {
        let Some(before) = before else {
            return Self {
                is_nothing: false,
                in_steps: true,
                in_content: true,
                fields: Vec::new(),
            };
        };
        let fields = fields_of(after);
        let old = fields_of(before);
        let differs = |name: &&String| fields.get(name.as_str()) != old.get(name.as_str());
        Self {
            is_nothing: before == after,
            in_steps: before.steps != after.steps,
            in_content: document::content(before) != document::content(after),
            fields: fields.keys().filter(differs).cloned().collect(),
        }
    }
}

/// What the audit log shows: a new template as a whole, else the attributes that change, and the
/// content that was and will be the newest.
pub(super) fn logged(
    before: Option<&TemplateDocument>,
    checked: &Checked,
    difference: &Difference,
) -> Logged {
    let after = document::of_rows(&checked.rows.detail);
    let content = |value: Value, revision: Option<u64>, hash: Option<&str>| {
        let mut value = value;
        if difference.in_content
            && let Some(fields) = value.as_object_mut()
        {
            fields.extend(revision.map(|number| ("revision".to_owned(), json!(number))));
            fields.extend(hash.map(|hash| ("content_hash".to_owned(), json!(hash))));
        }
        value
    };
    let newest = checked.newest.as_ref();
    let number = newest.map(|newest| newest.revision);
    let of = |document: &TemplateDocument| match before {
        None => logged_document(document),
        Some(_) => {
            let mut fields = fields_of(document);
            fields.retain(|name, _| difference.fields.contains(name));
            without_long_steps(fields)
        }
    };
    let hash = newest.map(|newest| newest.content_hash.as_str());
    Logged {
        before: before.map(|before| content(of(before), number, hash)),
        after: Some(content(of(&after), None, Some(&checked.content_hash))),
    }
}

/// A document as the audit log shows it.
pub(super) fn logged_document(document: &TemplateDocument) -> Value {
    without_long_steps(fields_of(document))
}

fn without_long_steps(mut fields: Map<String, Value>) -> Value {
    if let Some(steps) = fields.get_mut("steps") {
        let bytes = steps.to_string().len();
        if bytes > LOGGED_BYTES_MAX {
            let count = steps.as_array().map_or(0, Vec::len);
            *steps = json!({ "count": count, "omitted_bytes": bytes });
        }
    }
    Value::Object(fields)
}

fn fields_of(document: &TemplateDocument) -> Map<String, Value> {
    match serde_json::to_value(document) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    }
}
