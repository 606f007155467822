//! Revisions: what was published of a template, for ever.

use serde::Deserialize;

use super::{Database, DbError, DbErrorKind, statements};

statements! { "revisions":
    /// The revision with this content; ?1 template, ?2 hash.
    BY_HASH = "SELECT revision, content_hash FROM template_revisions
      WHERE template_name = ?1 AND content_hash = ?2";

    /// The newest revision of a template; ?1 is its name, NULL for the default template.
    NEWEST = "SELECT revision, content_hash FROM template_revisions
      WHERE template_name = coalesce(
        ?1, (SELECT t.name FROM pipeline_templates AS t WHERE t.is_default = 1))
      ORDER BY revision DESC LIMIT 1";

    /// Stores content as the next revision, unless the template has it. D1 has one writer, and the
    /// number is found by the statement that writes it, so two isolates never take the same one.
    STORE = "INSERT INTO template_revisions (template_name, revision, content_hash, definition)
      SELECT ?1, (
        SELECT coalesce(max(r.revision), 0) + 1 FROM template_revisions AS r
        WHERE r.template_name = ?1), ?2, ?3
      WHERE true ON CONFLICT (template_name, content_hash) DO NOTHING";

    /// The content of a revision; ?1 template, ?2 number.
    DEFINITION = "SELECT definition FROM template_revisions
      WHERE template_name = ?1 AND revision = ?2";
}

/// The number of a revision and the hash of what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Revision {
    /// Counted for each template; the first is 1.
    pub revision: u64,
    /// SHA-256 of the canonical definition, in hex.
    pub content_hash: String,
}

#[derive(Deserialize)]
struct Content {
    definition: String,
}

/// The revision of `template` with this content.
pub async fn by_hash(
    db: &impl Database,
    template: &str,
    content_hash: &str,
) -> Result<Option<Revision>, DbError> {
    db.query(BY_HASH.with(template).with(content_hash)).await?.first()
}

/// The revision of `template` with this content; the next one, if there is none yet.
pub async fn find_or_store(
    db: &impl Database,
    template: &str,
    content_hash: &str,
    definition: &str,
) -> Result<Revision, DbError> {
    let store = STORE.with(template).with(content_hash).with(definition);
    let [_, found] = db.batch_of([store, BY_HASH.with(template).with(content_hash)]).await?;
    let missing = || DbError::new(DbErrorKind::Malformed, STORE.name, "a stored revision is gone");
    found.first()?.ok_or_else(missing)
}

/// The definition that a revision holds, as JSON text.
pub async fn definition(
    db: &impl Database,
    template: &str,
    revision: u64,
) -> Result<Option<String>, DbError> {
    let rows = db.query(DEFINITION.with(template).with(revision)).await?;
    Ok(rows.first::<Content>()?.map(|row| row.definition))
}
