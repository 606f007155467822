//! The audit log: who changed what, and who was refused. Rows are added, read, and removed when
//! their time is over; never changed.

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::row::lenient_json;
use super::{Database, DbError, Param, Rows, Statement, statements};

/// The most entries of one page.
pub const PAGE_MAX: u32 = 200;

statements! { "audit":
    /// An entry, if the statement before it in the batch changed anything. Sent again, it is there.
    ADD = "INSERT INTO audit_log (id, at, account_id, actor_type, actor, change, subject_type,
        subject, before, after, request_id)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE changes() > 0
      ON CONFLICT (id) DO NOTHING";

    /// An entry, if since ?12 there are less than ?13 of its kind, and less than ?15 of its kind
    /// from the source ?14. Sent again, it is there.
    ADD_BOUNDED = "INSERT INTO audit_log (id, at, account_id, actor_type, actor, change,
        subject_type, subject, before, after, request_id)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
      WHERE (SELECT count(*) FROM audit_log WHERE at >= ?12 AND change = ?6) < ?13
        AND (SELECT count(*) FROM audit_log WHERE at >= ?12 AND change = ?6
          AND json_extract(after, '$.source') = ?14) < ?15
      ON CONFLICT (id) DO NOTHING";

    /// Removes entries from before ?1 that strangers brought about, at most ?2.
    FORGET_STRANGERS = "DELETE FROM audit_log WHERE id IN (
        SELECT id FROM audit_log WHERE at < ?1 AND subject_type = 'security' AND change IN
          ('security.sign_in_failed', 'security.locked_out', 'security.credential_refused')
        ORDER BY at LIMIT ?2)";

    /// A page, newest first, of what concerns one account (?1) or everything. ?2 actor, ?3 change,
    /// ?4 kind of subject, ?5 subject, ?6 from and ?7 to; NULL filters nothing. ?8 and ?9 are the
    /// entry that the page comes after, ?10 is how many.
    PAGE = "SELECT id, at, account_id, actor_type, actor, change, subject_type, subject, before,
        after, request_id
      FROM audit_log
      WHERE (?1 IS NULL OR account_id = ?1) AND (?2 IS NULL OR actor = ?2)
        AND (?3 IS NULL OR change = ?3) AND (?4 IS NULL OR subject_type = ?4)
        AND (?5 IS NULL OR subject = ?5) AND (?6 IS NULL OR at >= ?6) AND (?7 IS NULL OR at <= ?7)
        AND (?8 IS NULL OR (at, id) < (?8, ?9))
      ORDER BY at DESC, id DESC LIMIT ?10";

    /// One entry, where it concerns the account ?2, or anybody asks who may see all.
    BY_ID = "SELECT id, at, account_id, actor_type, actor, change, subject_type, subject, before,
        after, request_id
      FROM audit_log WHERE id = ?1 AND (?2 IS NULL OR account_id = ?2)";

    /// Whether an entry is there.
    OF_ID = "SELECT id FROM audit_log WHERE id = ?1";
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// When.
    pub at: String,
    /// Whose row was changed; `None` for what belongs to the installation.
    pub account_id: Option<String>,
    /// `api_key`, `worker`, `user` or `system`.
    pub actor_type: String,
    /// Who of them.
    pub actor: String,
    /// What was done: `<subject>.<what>`.
    pub change: String,
    /// What kind of thing was changed.
    pub subject_type: String,
    /// Which of them.
    pub subject: String,
    /// How it was.
    #[serde(deserialize_with = "lenient_json")]
    pub before: Option<Value>,
    /// How it became.
    #[serde(deserialize_with = "lenient_json")]
    pub after: Option<Value>,
    /// The request that did it.
    pub request_id: Option<String>,
}

/// Which entries are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only what concerns this account.
    pub account: Option<String>,
    /// Only by this actor.
    pub actor: Option<String>,
    /// Only of this kind of change.
    pub change: Option<String>,
    /// Only of this kind of subject.
    pub subject_type: Option<String>,
    /// Only of this subject.
    pub subject: Option<String>,
    /// Not before this moment, as rows have it.
    pub from: Option<String>,
    /// Not after this moment, as rows have it.
    pub to: Option<String>,
}

/// The statement that adds an entry: it belongs behind the one that changes the subject, in the
/// same batch, and adds nothing where that one changed nothing.
pub fn add(entry: &Entry) -> Statement {
    let json = |value: &Option<Value>| value.as_ref().map_or(Param::Null, Param::from);
    ADD.with(entry.id.as_str())
        .with(entry.at.as_str())
        .with(entry.account_id.as_deref())
        .with(entry.actor_type.as_str())
        .with(entry.actor.as_str())
        .with(entry.change.as_str())
        .with(entry.subject_type.as_str())
        .with(entry.subject.as_str())
        .with(json(&entry.before))
        .with(json(&entry.after))
        .with(entry.request_id.as_deref())
}

/// How many entries there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Since when they are counted, as rows have it.
    pub since: String,
    /// What they came from, as `source` in `after` says.
    pub source: String,
    /// The most of one kind from one source.
    pub of_source_max: u32,
    /// The most of one kind.
    pub of_kind_max: u32,
}

/// The statement that adds an entry if there is room for it.
pub fn add_bounded(entry: &Entry, bounds: Bounds) -> Statement {
    let Bounds { since, source, of_source_max, of_kind_max } = bounds;
    let statement = Statement { sql: ADD_BOUNDED, ..add(entry) };
    statement.with(since).with(of_kind_max).with(source).with(of_source_max)
}

/// The statement that removes entries from before a moment that strangers brought about.
pub fn forget_strangers(before: Timestamp, rows_max: u32) -> Statement {
    FORGET_STRANGERS.with(before).with(rows_max)
}

/// The statement that looks for an entry; [`was_added`] reads what it finds.
pub fn of_id(id: &str) -> Statement {
    OF_ID.with(id)
}

/// Whether [`of_id`] found its entry.
pub fn was_added(found: Option<&Rows>) -> Result<bool, DbError> {
    let entry: Option<Option<Value>> = found.map(Rows::first).transpose()?;
    Ok(entry.flatten().is_some())
}

/// A page, newest first, and whether there are more behind it. `after` is the moment and the id of
/// the last entry of the page before.
pub async fn page(
    db: &impl Database,
    filter: &Filter,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<(Vec<Entry>, bool), DbError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let statement = PAGE
        .with(filter.account.as_deref())
        .with(filter.actor.as_deref())
        .with(filter.change.as_deref())
        .with(filter.subject_type.as_deref())
        .with(filter.subject.as_deref())
        .with(filter.from.as_deref())
        .with(filter.to.as_deref())
        .with(after.map(|(at, _)| at))
        .with(after.map(|(_, id)| id))
        .with(limit + 1);
    let mut entries: Vec<Entry> = db.query(statement).await?.decode()?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    Ok((entries, more))
}

/// The entry `id`, if it concerns `account` or no account is named.
pub async fn find(
    db: &impl Database,
    id: &str,
    account: Option<&str>,
) -> Result<Option<Entry>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}
