//! What a document would come to, were it published: all that is wrong with it, what may not be
//! meant, and the revision that it would be. The check is the one of a start.

use std::collections::BTreeMap;

use api_types::admin::TemplateDocument;
use engine::plan::Violation;
use engine::plan::definition::TemplateDefinition;

use super::document::{self, Rows};
use super::pointers::Made;
use super::warnings::warnings;
use crate::db::drafts::{self, Draft};
use crate::db::revisions::{self, Revision};
use crate::db::{Database, DbError};
use crate::schema;
use crate::templates::{Compiled, at_own_urls, compile, together};

/// The most bytes of a definition, and of the steps' rows: D1 takes 2 MB as one value.
const BYTES_MAX: usize = 1_900_000;

/// A document that was checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its rows.
    pub rows: Rows,
    /// The change counter that it was checked under.
    pub count: i64,
    /// What a start would make of the rows.
    pub definition: TemplateDefinition,
    /// The same as canonical JSON.
    pub json: String,
    /// SHA-256 of it, in hex.
    pub content_hash: String,
    /// What is wrong, with pointers into the document.
    pub violations: Vec<Violation>,
    /// What may not be meant.
    pub warnings: Vec<Violation>,
    /// The revision that was published last, whatever it holds.
    pub newest: Option<Revision>,
    /// The newest revision that holds just this.
    pub revision: Option<u64>,
}

/// Checks a document and the rows that it stands for. `unread` is what could not be read of it:
/// what only follows from that is not told.
pub async fn check(
    db: &impl Database,
    worker_urls: &BTreeMap<String, String>,
    document: &TemplateDocument,
    rows: Rows,
    unread: Vec<Violation>,
) -> Result<Checked, DbError> {
    let name = rows.detail.template.name.as_str();
    let Draft { count, loaded, health } = drafts::read(db, &rows.detail).await?;
    let loaded = at_own_urls(loaded, worker_urls);
    let Compiled { json, content_hash, plan } = compile(&loaded);
    let made = Made { document, definition: &loaded.definition, places: &rows.places };
    let mut found = document::violations(document);
    let refused = plan.err().unwrap_or_default().into_iter();
    found.extend(refused.map(|violation| made.in_document(violation)));
    found.extend(schema_violation(document));
    found.extend(too_large(&rows, &json));
    let warnings = warnings(&made, &health);
    let revision = match &loaded.newest {
        Some(newest) if newest.content_hash == content_hash => Some(newest.revision),
        Some(_) => revisions::by_hash(db, name, &content_hash).await?.map(|held| held.revision),
        None => None,
    };
    Ok(Checked {
        rows,
        count,
        json,
        content_hash,
        violations: together(unread, found),
        warnings,
        newest: loaded.newest,
        revision,
        definition: loaded.definition,
    })
}

/// No start compiles the schema before a request is checked against it: whoever publishes one that
/// is none would not be told.
fn schema_violation(document: &TemplateDocument) -> Option<Violation> {
    let schema = document.input_schema.as_ref().filter(|schema| !schema.is_null())?;
    let message = schema::problem(schema)?;
    let (pointer, code) = ("/input_schema".to_owned(), "schema.invalid".to_owned());
    Some(Violation { pointer, code, message })
}

fn too_large(rows: &Rows, json: &str) -> Option<Violation> {
    let bytes = json.len().max(drafts::step_rows(&rows.detail.steps).len());
    let message = format!(
        "with its workers and the templates that it reaches it has {bytes} bytes; {BYTES_MAX} can \
         be kept"
    );
    let (pointer, code) = (String::new(), "template.too_large".to_owned());
    (bytes > BYTES_MAX).then_some(Violation { pointer, code, message })
}
