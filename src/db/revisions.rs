//! Revisions: what was published of a template, for ever.

use serde::Deserialize;

use super::row::flag;
use super::{Database, DbError, DbErrorKind, Param, Statement, statements};

/// The next number of a template's revisions: D1 has one writer, and the number is found by the
/// statement that writes it, so two isolates never take the same one.
macro_rules! store {
    () => {
        "INSERT INTO template_revisions (template_name, revision, content_hash, definition)
      SELECT ?1, (
        SELECT coalesce(max(r.revision), 0) + 1 FROM template_revisions AS r
        WHERE r.template_name = ?1), ?2, ?3 "
    };
}

statements! { "revisions":
    /// The newest revision with this content; ?1 template, ?2 hash.
    BY_HASH = "SELECT revision, content_hash FROM template_revisions
      WHERE template_name = ?1 AND content_hash = ?2 ORDER BY revision DESC LIMIT 1";

    /// The newest revision of a template; ?1 is its name, NULL for the default template.
    NEWEST = "SELECT revision, content_hash FROM template_revisions
      WHERE template_name = coalesce(
        ?1, (SELECT t.name FROM pipeline_templates AS t WHERE t.is_default = 1))
      ORDER BY revision DESC LIMIT 1";

    /// Stores content as the next revision, unless the template has it.
    STORE = concat!(store!(), "WHERE NOT EXISTS (
        SELECT 1 FROM template_revisions AS k WHERE k.template_name = ?1 AND k.content_hash = ?2)");

    /// Stores content as the next revision, whether or not an older one has it.
    PUBLISH = store!();

    /// Says who published the newest revision of a template; ?1 is its name, ?2 the entry of the
    /// audit log.
    PUBLISHED_BY = "INSERT INTO template_publications (template_name, revision, audit_id)
      SELECT ?1, max(r.revision), ?2 FROM template_revisions AS r WHERE r.template_name = ?1
      ON CONFLICT (template_name, revision) DO NOTHING";

    /// The content of a revision; ?1 template, ?2 number.
    DEFINITION = "SELECT definition FROM template_revisions
      WHERE template_name = ?1 AND revision = ?2";

    /// Revisions of a template, newest first, with who published each where that is known. ?2 is
    /// the number that the page comes after, NULL for the first page, ?3 is how many.
    HISTORY = "SELECT r.revision, r.content_hash, r.created_at,
        json_array_length(r.definition, '$.steps') AS step_count, length(r.definition) AS bytes,
        a.actor_type, a.actor, a.change, a.request_id, p.audit_id,
        p.audit_id IS NOT NULL AS is_published
      FROM template_revisions AS r
      LEFT JOIN template_publications AS p
        ON p.template_name = r.template_name AND p.revision = r.revision
      LEFT JOIN audit_log AS a ON a.id = p.audit_id
      WHERE r.template_name = ?1 AND (?2 IS NULL OR r.revision < ?2)
      ORDER BY r.revision DESC LIMIT ?3";
}

/// The number of a revision and the hash of what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Revision {
    /// Counted for each template; the first is 1.
    pub revision: u64,
    /// SHA-256 of the canonical definition, in hex.
    pub content_hash: String,
}

/// A revision in the history of its template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Past {
    /// Counted for each template; the first is 1.
    pub revision: u64,
    /// SHA-256 of the canonical definition, in hex.
    pub content_hash: String,
    /// When it was stored.
    pub created_at: String,
    /// How many steps it has.
    pub step_count: u64,
    /// How long its definition is.
    pub bytes: u64,
    /// Whether it was published by the API; else a start met the rows and stored what they said.
    #[serde(deserialize_with = "flag")]
    pub is_published: bool,
    /// The entry of the audit log.
    pub audit_id: Option<String>,
    /// What kind of caller published it, as far as the audit log still says.
    pub actor_type: Option<String>,
    /// Which of them.
    pub actor: Option<String>,
    /// By which change.
    pub change: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    definition: String,
}

/// The newest revision of `template` with this content.
pub async fn by_hash(
    db: &impl Database,
    template: &str,
    content_hash: &str,
) -> Result<Option<Revision>, DbError> {
    db.query(BY_HASH.with(template).with(content_hash)).await?.first()
}

/// The newest revision of `template` with this content; the next one, if there is none yet.
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

/// The statements that publish content as the next revision and say who did it.
pub fn publish(
    template: &str,
    content_hash: &str,
    definition: &str,
    audit_id: &str,
) -> [Statement; 2] {
    [
        PUBLISH.with(template).with(content_hash).with(definition),
        PUBLISHED_BY.with(template).with(audit_id),
    ]
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

/// A page of the history of `template`, newest first, behind the revision `after`.
pub async fn history(
    db: &impl Database,
    template: &str,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<Past>, DbError> {
    let after = after.map_or(Param::Null, Param::from);
    db.query(HISTORY.with(template).with(after).with(limit)).await?.decode()
}
