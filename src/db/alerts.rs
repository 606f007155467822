//! Alerts: what is wrong, from when it was noticed until it was over. An index lets at most one
//! unresolved alert stand for each account, kind and subject.

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::row::json;
use super::{Database, DbError, Param, Statement, statements};

/// The most alerts of one page.
pub const PAGE_MAX: u32 = 200;

macro_rules! columns {
    () => {
        "SELECT id, account_id, kind, severity, subject_type, subject, message, metric, observed,
        baseline, threshold, evidence, status, opened_at, acknowledged_at, acknowledged_by,
        resolved_at, resolved_by, updated_at FROM performance_alerts "
    };
}

statements! { "alerts":
    /// Alerts that are not resolved, ?1 at most, the oldest first.
    UNRESOLVED = concat!(columns!(),
        "WHERE status IN ('open', 'acknowledged') ORDER BY opened_at, id LIMIT ?1");

    /// Opens one, unless one stands for the same, or its account is gone.
    OPEN = "INSERT INTO performance_alerts (id, account_id, kind, severity, subject_type, subject,
        message, metric, observed, baseline, threshold, evidence, opened_at, updated_at)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13
      WHERE ?2 IS NULL OR EXISTS (SELECT 1 FROM accounts WHERE id = ?2)
      ON CONFLICT DO NOTHING";

    /// The figures of one that lasts.
    UPDATE = "UPDATE performance_alerts SET severity = ?2, message = ?3, metric = ?4,
        observed = ?5, baseline = ?6, threshold = ?7, evidence = ?8, updated_at = ?9
      WHERE id = ?1 AND status <> 'resolved'";

    /// What one keeps of a check that did not find it bad.
    NOTE = "UPDATE performance_alerts SET evidence = ?2, updated_at = ?3
      WHERE id = ?1 AND status <> 'resolved'";

    /// It is over by itself.
    END = "UPDATE performance_alerts SET status = 'resolved', resolved_at = ?3,
        resolved_by = 'system', evidence = ?2, updated_at = ?3
      WHERE id = ?1 AND status <> 'resolved'";

    /// Somebody, ?3, has seen it; ?2 is the account that the caller is confined to.
    ACKNOWLEDGE = "UPDATE performance_alerts SET status = 'acknowledged', acknowledged_at = ?4,
        acknowledged_by = ?3, updated_at = ?4
      WHERE id = ?1 AND status = 'open' AND (?2 IS NULL OR account_id = ?2)";

    /// Somebody, ?3, says that it is over.
    RESOLVE = "UPDATE performance_alerts SET status = 'resolved', resolved_at = ?4,
        resolved_by = ?3, updated_at = ?4
      WHERE id = ?1 AND status <> 'resolved' AND (?2 IS NULL OR account_id = ?2)";

    /// One, where it concerns the account ?2, or the caller is confined to none.
    BY_ID = concat!(columns!(), "WHERE id = ?1 AND (?2 IS NULL OR account_id = ?2)");

    /// A page, newest first. ?1 account, ?2 status (`unresolved` is both that are not resolved),
    /// ?3 kind, ?4 severity, ?5 kind of subject, ?6 subject; NULL filters nothing. ?7 and ?8 are
    /// the alert that the page comes after, ?9 is how many.
    PAGE = concat!(columns!(),
        "WHERE (?1 IS NULL OR account_id = ?1)
        AND (?2 IS NULL OR status = ?2 OR (?2 = 'unresolved' AND status <> 'resolved'))
        AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR severity = ?4)
        AND (?5 IS NULL OR subject_type = ?5) AND (?6 IS NULL OR subject = ?6)
        AND (?7 IS NULL OR (opened_at, id) < (?7, ?8))
      ORDER BY opened_at DESC, id DESC LIMIT ?9");
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Alert {
    /// Its id.
    pub id: String,
    /// Whose it is; `None` for what concerns the installation.
    pub account_id: Option<String>,
    /// What it is about.
    pub kind: String,
    /// How bad it is.
    pub severity: String,
    /// What kind of thing it concerns.
    pub subject_type: String,
    /// Which of them.
    pub subject: String,
    /// What is wrong, for a person.
    pub message: String,
    /// What was measured.
    pub metric: String,
    /// The figure now.
    pub observed: f64,
    /// The figure before.
    pub baseline: Option<f64>,
    /// What the figure must come back to.
    pub threshold: f64,
    /// What it keeps of the figures that opened it.
    #[serde(deserialize_with = "json")]
    pub evidence: Value,
    /// `open`, `acknowledged` or `resolved`.
    pub status: String,
    /// When it was noticed.
    pub opened_at: String,
    /// When somebody saw it.
    pub acknowledged_at: Option<String>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// When it was over.
    pub resolved_at: Option<String>,
    /// Who said so; `system` where it was seen to be.
    pub resolved_by: Option<String>,
    /// When it was last written.
    pub updated_at: String,
}

/// The figures of an alert as they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// How bad it is.
    pub severity: &'static str,
    /// What is wrong, for a person.
    pub message: String,
    /// What was measured.
    pub metric: &'static str,
    /// The figure now.
    pub observed: f64,
    /// The figure before.
    pub baseline: Option<f64>,
    /// What the figure must come back to.
    pub threshold: f64,
    /// What it keeps of the figures that opened it.
    pub evidence: Value,
}

/// What a new alert concerns.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// Its id.
    pub id: &'a str,
    /// The account; `None` for what concerns the installation.
    pub account: Option<&'a str>,
    /// What it is about.
    pub kind: &'a str,
    /// What kind of thing it concerns.
    pub subject_type: &'a str,
    /// Which of them.
    pub subject: &'a str,
}

/// Which alerts are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this account.
    pub account: Option<String>,
    /// Only with this status; `unresolved` are all but the resolved ones.
    pub status: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only as bad as this.
    pub severity: Option<String>,
    /// Only about this kind of thing.
    pub subject_type: Option<String>,
    /// Only about this thing.
    pub subject: Option<String>,
}

/// What somebody does about an alert.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// The alert.
    pub id: &'a str,
    /// The account that the caller is confined to.
    pub account: Option<&'a str>,
    /// Who.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

/// Alerts that are not resolved, at most so many.
pub async fn unresolved(db: &impl Database, limit: u32) -> Result<Vec<Alert>, DbError> {
    db.query(UNRESOLVED.with(limit)).await?.decode()
}

/// The statement that opens an alert, unless one stands for the same.
pub fn open(opened: Opened<'_>, figures: &Figures, at: Timestamp) -> Statement {
    let Opened { id, account, kind, subject_type, subject } = opened;
    OPEN.with(id)
        .with(account)
        .with(kind)
        .with(figures.severity)
        .with(subject_type)
        .with(subject)
        .with(figures.message.as_str())
        .with(figures.metric)
        .with(figures.observed)
        .with(figures.baseline)
        .with(figures.threshold)
        .with(&figures.evidence)
        .with(at)
}

/// The statement that writes the figures of an alert that lasts.
pub fn update(id: &str, figures: &Figures, at: Timestamp) -> Statement {
    UPDATE
        .with(id)
        .with(figures.severity)
        .with(figures.message.as_str())
        .with(figures.metric)
        .with(figures.observed)
        .with(figures.baseline)
        .with(figures.threshold)
        .with(&figures.evidence)
        .with(at)
}

/// The statement that notes a check that did not find an alert bad.
pub fn note(id: &str, evidence: &Value, at: Timestamp) -> Statement {
    NOTE.with(id).with(evidence).with(at)
}

/// The statement that ends an alert that is over by itself.
pub fn end(id: &str, evidence: &Value, at: Timestamp) -> Statement {
    END.with(id).with(evidence).with(at)
}

/// The statement by which somebody acknowledges an alert.
pub fn acknowledge(act: Act<'_>) -> Statement {
    ACKNOWLEDGE.with(act.id).with(act.account).with(act.by).with(act.at)
}

/// The statement by which somebody resolves an alert.
pub fn resolve(act: Act<'_>) -> Statement {
    RESOLVE.with(act.id).with(act.account).with(act.by).with(act.at)
}

/// The alert `id`, if it concerns `account` or the caller is confined to none.
pub async fn find(
    db: &impl Database,
    id: &str,
    account: Option<&str>,
) -> Result<Option<Alert>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// A page, newest first, and whether there are more behind it. `after` is the moment and the id of
/// the last alert of the page before.
pub async fn page(
    db: &impl Database,
    filter: &Filter,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<(Vec<Alert>, bool), DbError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let text = |value: &Option<String>| value.as_deref().map_or(Param::Null, Param::from);
    let statement = PAGE
        .with(text(&filter.account))
        .with(text(&filter.status))
        .with(text(&filter.kind))
        .with(text(&filter.severity))
        .with(text(&filter.subject_type))
        .with(text(&filter.subject))
        .with(after.map(|(at, _)| at))
        .with(after.map(|(_, id)| id))
        .with(limit + 1);
    let mut alerts: Vec<Alert> = db.query(statement).await?.decode()?;
    let more = alerts.len() > limit as usize;
    alerts.truncate(limit as usize);
    Ok((alerts, more))
}
