//! What an administrative change leaves in the audit log: made here from the request, written by
//! the batch that makes the change.

use serde_json::Value;
use uuid::Uuid;

use crate::auth::Caller;
use crate::clock::now;
use crate::db::audit::{self, Entry};
use crate::db::{Database, DbError, Statement, iso};
use crate::request::RequestContext;

/// A change, as whoever makes it describes it. Nothing secret may stand in `before` and `after`.
pub struct Change<'a> {
    /// What is done: `<subject>.<what>`, such as `api_key.revoked`.
    pub change: &'static str,
    /// What kind of thing is changed, as a table's singular: `api_key`.
    pub subject_type: &'static str,
    /// Which of them.
    pub subject: &'a str,
    /// The account that the thing belongs to; `None` for what belongs to the installation.
    pub account: Option<&'a str>,
    /// How it was; `None` where it is new.
    pub before: Option<Value>,
    /// How it becomes; `None` where it goes.
    pub after: Option<Value>,
}

/// Makes the change and logs it, in one batch, and does `then` behind it; whether it was made, by
/// this batch or by a first try whose answer was lost. `then` must do nothing where it was not.
pub async fn make(
    db: &impl Database,
    (context, caller): (&RequestContext, &Caller),
    statement: Statement,
    change: Change<'_>,
    then: Vec<Statement>,
) -> Result<bool, DbError> {
    let entry = written(context, caller, change);
    let mut batch = vec![statement, audit::add(&entry)];
    batch.extend(then);
    batch.push(audit::of_id(&entry.id));
    let results = db.batch(batch).await?;
    audit::was_added(results.last())
}

/// The statement that logs the change. It belongs directly behind the statement that makes it, in
/// the same batch: where that one changes no row, nothing is logged.
pub fn entry(context: &RequestContext, caller: &Caller, change: Change<'_>) -> Statement {
    audit::add(&written(context, caller, change))
}

/// The entry that such a statement adds.
pub fn written(context: &RequestContext, caller: &Caller, change: Change<'_>) -> Entry {
    let Change { change, subject_type, subject, account, before, after } = change;
    let (actor_type, actor) = caller.actor();
    Entry {
        id: Uuid::now_v7().to_string(),
        at: iso(now()),
        account_id: account.map(str::to_owned),
        actor_type: actor_type.to_owned(),
        actor: actor.to_owned(),
        change: change.to_owned(),
        subject_type: subject_type.to_owned(),
        subject: subject.to_owned(),
        before,
        after,
        request_id: Some(context.id().to_owned()),
    }
}
