//! Tasks as they are read: one, or a page of those that are meant.

use serde::Deserialize;
use serde_json::json;

use super::Task;
use super::columns;
use crate::db::{Database, DbError, Sql, Statement, statements};

/// The most tasks of one page.
pub const PAGE_MAX: u32 = 200;

/// ?1 account; ?2 status, ?3 priority, ?4 assignee, ?5 candidate, ?6 job, ?7 execution, ?8 due
/// before, ?9 text: NULL filters nothing. ?10 and ?11, who asks: NULL, or the one who claims and
/// all words that stand for that one.
macro_rules! matching {
    () => {
        "account_id = ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR priority = ?3)
        AND (?4 IS NULL OR claimed_by = ?4 OR completed_by = ?4)
        AND (?5 IS NULL OR EXISTS (SELECT 1 FROM json_each(candidates) AS c
          WHERE lower(c.value) = lower(?5)))
        AND (?6 IS NULL OR job_id = ?6) AND (?7 IS NULL OR pipeline_id = ?7)
        AND (?8 IS NULL OR due_at < ?8)
        AND (?9 IS NULL OR instr(lower(title || char(10) || coalesce(description, '')),
          lower(?9)) > 0)
        AND (?10 IS NULL OR claimed_by = ?10 OR (status = 'open' AND (candidates = '[]'
          OR EXISTS (SELECT 1 FROM json_each(candidates) AS c JOIN json_each(?11) AS me
            ON lower(c.value) = lower(me.value)))
          AND NOT (forbid_self_approval = 1 AND EXISTS (SELECT 1 FROM json_each(initiators) AS i
            JOIN json_each(?11) AS me ON i.value = me.value))))"
    };
}

statements! { "tasks_list":
    /// A task of an account.
    BY_ID = concat!(columns!(), "WHERE task_id = ?1 AND account_id = ?2");

    /// A page, newest first, behind the task of ?12 and ?13; ?14 is how many.
    PAGE = concat!(columns!(), "WHERE ", matching!(), "
        AND (?12 IS NULL OR (created_at, task_id) < (?12, ?13))
      ORDER BY created_at DESC, task_id DESC LIMIT ?14");

    /// How many there are.
    COUNT = concat!("SELECT count(*) AS n FROM tasks WHERE ", matching!());
}

/// The task `id` of an account.
pub async fn find(db: &impl Database, account: &str, id: &str) -> Result<Option<Task>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// Which tasks are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Where they stand.
    pub status: Option<String>,
    /// How much they matter.
    pub priority: Option<String>,
    /// Who has claimed or completed them.
    pub assignee: Option<String>,
    /// Whom they name.
    pub candidate: Option<String>,
    /// The job that they belong to.
    pub job_id: Option<String>,
    /// The execution that waits for them.
    pub pipeline_id: Option<String>,
    /// When they are due at the latest.
    pub due_before: Option<String>,
    /// What stands in them.
    pub text: Option<String>,
    /// Who has claimed them or may do so, and all words that stand for that one.
    pub mine: Option<(String, Vec<String>)>,
}

impl Filter {
    fn of(&self, sql: Sql, account: &str) -> Statement {
        let (name, words) = match &self.mine {
            Some((name, words)) => (Some(name.as_str()), Some(json!(words).to_string())),
            None => (None, None),
        };
        sql.with(account)
            .with(self.status.as_deref())
            .with(self.priority.as_deref())
            .with(self.assignee.as_deref())
            .with(self.candidate.as_deref())
            .with(self.job_id.as_deref())
            .with(self.pipeline_id.as_deref())
            .with(self.due_before.as_deref())
            .with(self.text.as_deref())
            .with(name)
            .with(words)
    }
}

/// A page, newest first, and whether there are more behind it. `after` is the moment and the id of
/// the last task of the page before.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<(Vec<Task>, bool), DbError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let statement = filter
        .of(PAGE, account)
        .with(after.map(|(at, _)| at))
        .with(after.map(|(_, id)| id))
        .with(limit + 1);
    let mut tasks: Vec<Task> = db.query(statement).await?.decode()?;
    let more = tasks.len() > limit as usize;
    tasks.truncate(limit as usize);
    Ok((tasks, more))
}

/// How many match.
pub async fn count(db: &impl Database, account: &str, filter: &Filter) -> Result<u64, DbError> {
    #[derive(Deserialize)]
    struct Count {
        n: u64,
    }
    let row: Option<Count> = db.query(filter.of(COUNT, account)).await?.first()?;
    Ok(row.map_or(0, |row| row.n))
}
