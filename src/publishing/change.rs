//! The changes of a template: each is a next document, checked and written in one batch.

use std::collections::BTreeMap;

use api_types::admin::TemplateDocument;
use engine::plan::Violation;
use serde_json::{Map, Value};

use super::check::{Checked, check};
use super::document::{self, Rows};
use super::state;
use super::trail::{Difference, Logged, logged, logged_document};
use crate::db::audit::{self, Entry};
use crate::db::drafts::{self, Current};
use crate::db::revisions::{self, Revision};
use crate::db::templates::{self, Template, TemplateDetail};
use crate::db::{Database, DbError, DbErrorKind, Statement};

/// How often a change is made anew because another one came first.
const TRIES_MAX: usize = 24;

/// What becomes of a template.
#[derive(Clone, Debug)]
pub enum Wish {
    /// There is none so far.
    Create(TemplateDocument),
    /// The document takes the place of all that the template is.
    Replace(TemplateDocument),
    /// Attributes change as a merge patch says (RFC 7396).
    Merge(Map<String, Value>),
    /// What a revision held takes the place of what the template does; what is for people stays.
    Restore(TemplateDocument),
}

/// Why a change is not made.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such template.
    NotFound,
    /// There is one already.
    Exists,
    /// It is not as the caller has seen it, or it changes too often.
    Changed,
    /// It is the default template.
    IsDefault,
    /// Steps of these templates name it.
    NamedBy(Vec<String>),
    /// What it would be cannot be started.
    Invalid(Vec<Violation>),
    /// The database did not do it.
    Db(DbError),
}

/// A change that was made.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The rows as they are now.
    pub detail: TemplateDetail,
    /// The revision that a start gets.
    pub revision: Option<u64>,
    /// What it is known by.
    pub content_hash: String,
    /// Why it cannot be started.
    pub violations: Vec<Violation>,
    /// What may not be meant.
    pub warnings: Vec<Violation>,
    /// Active templates whose steps name it.
    pub named_by: Vec<String>,
}

/// Makes changes of the template `name`.
pub struct Publisher<'a, D> {
    /// The database.
    pub db: &'a D,
    /// The URLs at which this deployment reaches workers, by name.
    pub worker_urls: &'a BTreeMap<String, String>,
    /// The template.
    pub name: &'a str,
    /// Whether a template whose state is this may be changed: see [`state`].
    pub expected: &'a dyn Fn(&str) -> bool,
    /// The entry of the audit log for a change.
    pub entry: &'a dyn Fn(Logged) -> Entry,
}

/// What one try came to.
enum Try<T> {
    Done(T),
    /// Something else was changed first.
    Late,
}

impl<D: Database> Publisher<'_, D> {
    /// Makes a change. Nothing is written where the document stays the same.
    pub async fn change(&self, wish: &Wish) -> Result<Changed, Refusal> {
        for _ in 0..TRIES_MAX {
            if let Try::Done(changed) = self.try_change(wish).await? {
                return Ok(changed);
            }
        }
        Err(Refusal::Changed)
    }

    /// Removes the template; its revisions and executions stay.
    pub async fn remove(&self) -> Result<(), Refusal> {
        for _ in 0..TRIES_MAX {
            let current = drafts::current(self.db, self.name).await?;
            let rows = self.expected_rows(&current)?.ok_or(Refusal::NotFound)?;
            if rows.template.is_default {
                return Err(Refusal::IsDefault);
            }
            if !current.named_by.is_empty() {
                let names = current.named_by.iter().map(|template| template.name.clone());
                return Err(Refusal::NamedBy(names.collect()));
            }
            let before = Some(logged_document(&document::of_rows(rows)));
            let entry = (self.entry)(Logged { before, after: None });
            let batch = vec![
                drafts::expect_count(current.count.count),
                drafts::remove(self.name),
                audit::add(&entry),
            ];
            if let Try::Done(()) = self.write(batch, current.count.count, &entry).await? {
                return Ok(());
            }
        }
        Err(Refusal::Changed)
    }

    async fn try_change(&self, wish: &Wish) -> Result<Try<Changed>, Refusal> {
        let current = drafts::current(self.db, self.name).await?;
        let rows = self.expected_rows(&current)?;
        let before = rows.map(document::of_rows);
        let next = next(wish, before.as_ref())?;
        let rows_then = rows_then(rows, before.as_ref(), &next, self.name);
        let checked = check(self.db, self.worker_urls, &next, rows_then, Vec::new()).await?;
        if checked.count != current.count.count {
            return Ok(Try::Late);
        }
        let difference = Difference::of(before.as_ref(), &document::of_rows(&checked.rows.detail));
        may_be(rows, &checked, &difference)?;
        if difference.is_nothing {
            return Ok(Try::Done(self.unchanged(current, checked).await?));
        }
        let entry = (self.entry)(logged(before.as_ref(), &checked, &difference));
        let batch = self.batch(&checked, &difference, &entry);
        match self.write(batch, checked.count, &entry).await? {
            Try::Done(()) => Ok(Try::Done(self.changed(current, checked).await?)),
            Try::Late => Ok(Try::Late),
        }
    }

    /// The rows, if they are as the caller has seen them.
    fn expected_rows<'c>(
        &self,
        current: &'c Current,
    ) -> Result<Option<&'c TemplateDetail>, Refusal> {
        let rows = current.rows.as_ref();
        let as_seen = rows.is_none_or(|rows| (self.expected)(&state(&document::of_rows(rows))));
        if as_seen { Ok(rows) } else { Err(Refusal::Changed) }
    }

    fn batch(&self, checked: &Checked, difference: &Difference, entry: &Entry) -> Vec<Statement> {
        let TemplateDetail { template, steps } = &checked.rows.detail;
        let mut batch = vec![drafts::expect_count(checked.count)];
        if template.is_default {
            batch.push(drafts::others_not_default(self.name));
        }
        batch.extend([drafts::put(template), audit::add(entry)]);
        if difference.in_steps {
            batch.extend(drafts::put_steps(self.name, steps));
        }
        let holds = |newest: &Revision| newest.content_hash == checked.content_hash;
        if difference.in_content && !checked.newest.as_ref().is_some_and(holds) {
            let Checked { content_hash, json, .. } = checked;
            batch.extend(revisions::publish(self.name, content_hash, json, &entry.id));
        }
        batch
    }

    /// Does a batch that expects the change counter to stand at `count`. One whose answer was lost
    /// was refused the second time; the entry of the audit log tells that it was done.
    async fn write(
        &self,
        batch: Vec<Statement>,
        count: i64,
        entry: &Entry,
    ) -> Result<Try<()>, DbError> {
        let Err(error) = self.db.batch(batch).await else { return Ok(Try::Done(())) };
        if error.kind() != DbErrorKind::Constraint {
            return Err(error);
        }
        if audit::find(self.db, &entry.id, None).await?.is_some() {
            return Ok(Try::Done(()));
        }
        let now = crate::db::meta::count(self.db).await?.count;
        if now == count { Err(error) } else { Ok(Try::Late) }
    }

    async fn unchanged(&self, current: Current, checked: Checked) -> Result<Changed, DbError> {
        let revision = match checked.revision {
            None if checked.violations.is_empty() => Some(self.stored(&checked).await?),
            found => found,
        };
        let detail = current.rows.unwrap_or(checked.rows.detail);
        Ok(Changed {
            detail,
            revision,
            content_hash: checked.content_hash,
            violations: checked.violations,
            warnings: checked.warnings,
            named_by: names(current.named_by),
        })
    }

    async fn changed(&self, current: Current, checked: Checked) -> Result<Changed, DbError> {
        let revision = match checked.violations.is_empty() {
            true => Some(self.stored(&checked).await?),
            false => checked.revision,
        };
        let row = templates::row(self.db, self.name).await?;
        let (created_at, updated_at) =
            row.map_or_else(Default::default, |row: Template| (row.created_at, row.updated_at));
        let TemplateDetail { template, steps } = checked.rows.detail;
        Ok(Changed {
            detail: TemplateDetail {
                template: Template { created_at, updated_at, ..template },
                steps,
            },
            revision,
            content_hash: checked.content_hash,
            violations: checked.violations,
            warnings: checked.warnings,
            named_by: names(current.named_by),
        })
    }

    /// The revision that a start would find, or store.
    async fn stored(&self, checked: &Checked) -> Result<u64, DbError> {
        let Checked { content_hash, json, .. } = checked;
        let found = revisions::find_or_store(self.db, self.name, content_hash, json).await?;
        Ok(found.revision)
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

fn names(named_by: Vec<drafts::NamedBy>) -> Vec<String> {
    named_by.into_iter().filter(|template| template.is_active).map(|row| row.name).collect()
}

/// The document that a wish makes of the present one.
fn next(wish: &Wish, before: Option<&TemplateDocument>) -> Result<TemplateDocument, Refusal> {
    let before = match (wish, before) {
        (Wish::Create(document), None) => return Ok(document.clone()),
        (Wish::Create(_), Some(_)) => return Err(Refusal::Exists),
        (Wish::Replace(_) | Wish::Merge(_) | Wish::Restore(_), None) => {
            return Err(Refusal::NotFound);
        }
        (_, Some(before)) => before.clone(),
    };
    Ok(match wish {
        Wish::Create(document) => document.clone(),
        Wish::Replace(document) => TemplateDocument {
            is_active: document.is_active.or(before.is_active),
            is_default: document.is_default.or(before.is_default),
            ..document.clone()
        },
        Wish::Merge(patch) => merged(&before, patch),
        Wish::Restore(document) => TemplateDocument {
            display_name: before.display_name,
            description: before.description,
            category: before.category,
            is_active: before.is_active,
            is_default: before.is_default,
            estimated_cost_usd: before.estimated_cost_usd,
            estimated_time_ms: before.estimated_time_ms,
            ..document.clone()
        },
    })
}

/// The rows that the next document stands for. Steps that stay keep their rows as they are.
fn rows_then(
    rows: Option<&TemplateDetail>,
    before: Option<&TemplateDocument>,
    next: &TemplateDocument,
    name: &str,
) -> Rows {
    let mut then = document::rows(next, name);
    if let Some((rows, before)) = rows.zip(before) {
        if before == next {
            return Rows::of(rows.clone());
        }
        if document::of_rows(&then.detail).steps == before.steps {
            then.detail.steps.clone_from(&rows.steps);
        }
    }
    then
}

/// The patch fits the schema of attributes, so the document stays one.
fn merged(before: &TemplateDocument, patch: &Map<String, Value>) -> TemplateDocument {
    let mut value = serde_json::to_value(before).expect("a document has text keys");
    crate::api::merge_patch::merge(&mut value, Value::Object(patch.clone()));
    serde_json::from_value(value).unwrap_or_else(|_| before.clone())
}

/// A template that can be started stays one, and the default is one that can be.
fn may_be(
    rows: Option<&TemplateDetail>,
    checked: &Checked,
    difference: &Difference,
) -> Result<(), Refusal> {
    let next = &checked.rows.detail.template;
    let was = |flag: fn(&Template) -> bool| rows.is_some_and(|rows| flag(&rows.template));
    let was_default = was(|row| row.is_default);
    if was_default && !(next.is_default && next.is_active) {
        return Err(Refusal::IsDefault);
    }
    let mut violations = Vec::new();
    let begins = next.is_active && !was(|row| row.is_active) || next.is_default && !was_default;
    if difference.in_content || begins {
        violations.clone_from(&checked.violations);
    }
    if next.is_default && !next.is_active {
        violations.push(Violation {
            pointer: "/is_default".to_owned(),
            code: "template.inactive_default".to_owned(),
            message: "only a template that is active can be the default".to_owned(),
        });
    }
    if violations.is_empty() { Ok(()) } else { Err(Refusal::Invalid(violations)) }
}
