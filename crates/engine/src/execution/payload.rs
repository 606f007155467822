//! The output of a step: kept in the journal, or in object storage when it is large.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The largest output that stands in the journal itself; larger ones go to object storage.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Where a large output lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRef {
    /// The object's key.
    pub key: String,
    /// The size of its JSON text.
    pub bytes: u64,
}

/// An output. In memory it has its value, except after a replay whose references were not
/// resolved; in the journal a stored one is its reference alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    value: Option<Arc<Value>>,
    stored: Option<StoredRef>,
}

impl Payload {
    /// An output that stands in the journal.
    pub fn inline(value: Value) -> Self {
        Self { value: Some(Arc::new(value)), stored: None }
    }

    /// The value; `None` when it lies elsewhere and was not brought.
    pub fn value(&self) -> Option<&Arc<Value>> {
        self.value.as_ref()
    }

    /// Where it lies, if not in the journal.
    pub fn stored(&self) -> Option<&StoredRef> {
        self.stored.as_ref()
    }

    /// Notes that the value was put into object storage.
    pub fn set_stored(&mut self, stored: StoredRef) {
        self.stored = Some(stored);
    }

    /// Brings the value of a stored output.
    pub fn resolve(&mut self, value: Arc<Value>) {
        self.value = Some(value);
    }

    /// Whether the value must be brought from object storage before it can be read.
    pub fn unresolved(&self) -> Option<&StoredRef> {
        if self.value.is_none() { self.stored.as_ref() } else { None }
    }
}

/// `{"v": value}` or `{"r": {"key": …, "bytes": …}}`.
#[derive(Serialize, Deserialize)]
enum Form<V> {
    #[serde(rename = "v")]
    Value(V),
    #[serde(rename = "r")]
    Reference(StoredRef),
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.stored, &self.value) {
            (Some(stored), _) => Form::<&Value>::Reference(stored.clone()).serialize(serializer),
            (None, value) => {
                Form::Value(value.as_deref().unwrap_or(&Value::Null)).serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Form::<Value>::deserialize(deserializer)? {
            Form::Value(value) => Self::inline(value),
            Form::Reference(stored) => Self { value: None, stored: Some(stored) },
        })
    }
}
