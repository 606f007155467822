//! Publishing templates by the API: from the document that was sent to the rows that every start
//! reads, and to the revision that a start of these rows would store itself.
//!
//! What is written was checked under the change counter that the batch expects, so that changes
//! never mix; whoever comes too late looks again at what is there now. It must know no HTTP.

mod change;
mod check;
mod difference;
mod document;
mod pointers;
mod trail;
mod warnings;

pub use change::{Changed, Publisher, Refusal, Wish};
pub use check::{Checked, check};
pub use difference::difference;
pub use document::{Rows, content, of_definition, of_rows, rows};
pub use pointers::readable;
pub use trail::Logged;

use api_types::admin::TemplateDocument;

/// What a document's tag is made of: equal documents have equal states.
pub fn state(document: &TemplateDocument) -> String {
    let value = serde_json::to_value(document).expect("a document has text keys");
    crate::templates::canonical_json(&value)
}
