//! The check for alerts, which the cron makes every five minutes: reads the figures, lets
//! [`crate::insights::alerts`] decide, writes what it decided. It decides nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use engine::time::{Millis, Timestamp};
use futures::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::clock::now;
use crate::db::alerts::{self, Alert, Figures, Opened};
use crate::db::duties::{self, Held};
use crate::db::rollups::{self, AccountTotal, ExecutionsBy, Scope, StepsBy, Window};
use crate::db::{D1, Database, DbError, Statement, accounts};
use crate::driver::Site;
use crate::figures;
use crate::governor;
use crate::insights::alerts::{
    Decision, Evidence, Finding, Kind, Reading, Standing, Subject, decide,
};
use crate::insights::readings::{self, Fullness, OfAccount};
use crate::log::{self, Level};

const DUTY: &str = "alerts";
/// How long one check may hold the duty.
const HOLD: Millis = Millis::from_secs(120);
/// How long until the next check: the cron comes each minute and a little early or late.
const EVERY: Millis = Millis::from_secs(295);
/// The period that is looked at.
const NOW_HOURS: i64 = 1;
/// The period before it, which it is compared with.
const BEFORE_HOURS: i64 = 24;
const HOUR_MS: i64 = 3_600_000;
/// The most accounts that are looked at by template and by places: the busiest.
const ACCOUNTS_MAX: usize = 40;
/// The most alerts that stand.
const UNRESOLVED_MAX: u32 = 500;
/// Statements of one transaction.
const STATEMENTS_MAX: usize = 50;
/// Governors that are asked at the same time.
const ASKED_AT_ONCE: usize = 4;

/// What one check leaves for the next.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Left {
    /// How many checks in a row found each of these accounts pressed.
    pressed: BTreeMap<String, u64>,
}

/// The periods that are compared.
struct Periods {
    now: Window,
    before: Window,
    /// The first half of `before`.
    early: Window,
}

impl Periods {
    fn at(now: Timestamp) -> Self {
        let ago = |hours: i64| Timestamp::from_millis(now.as_millis() - hours * HOUR_MS);
        let recent = Window::between(ago(NOW_HOURS), now, now);
        let from = ago(NOW_HOURS + BEFORE_HOURS);
        let before = Window::between(from, recent.from(), now);
        let early = Window::between(from, ago(NOW_HOURS + BEFORE_HOURS / 2), now);
        Self { now: recent, before, early }
    }
}

/// Looks for what got worse, where that is wanted and due. What fails is tried in the next minute.
pub async fn check_if_due(site: &Site) {
    if !site.config.alerting_enabled {
        return;
    }
    if let Err(error) = check(site).await {
        log::write(Level::Warn, json!({ "event": "alerts.check_failed", "error": error }));
    }
}

async fn check(site: &Site) -> Result<(), String> {
    let shown = |error: DbError| format!("{error}: {}", error.detail());
    let database = D1::new(site.bindings.database().map_err(|error| error.to_string())?);
    let at = now();
    let Some(held) = duties::take(&database, DUTY, at, HOLD).await.map_err(shown)? else {
        return Ok(());
    };
    let mut left: Left = serde_json::from_value(held.state).unwrap_or_default();
    figures::refresh(&database).await;
    let readings = read(site, &database, at, &mut left).await.map_err(shown)?;
    let unresolved = alerts::unresolved(&database, UNRESOLVED_MAX).await.map_err(shown)?;
    let standing: Vec<Standing> = unresolved.into_iter().filter_map(standing_of).collect();
    let decisions = decide(&readings, &standing);
    let statements: Vec<Statement> =
        decisions.iter().map(|decision| statement(decision, at)).collect();
    for part in statements.chunks(STATEMENTS_MAX) {
        database.batch(part.to_vec()).await.map_err(shown)?;
    }
    decisions.iter().for_each(tell);
    let held = Held { fence: held.fence, state: json!(left) };
    duties::done(&database, DUTY, &held, now(), at.plus(EVERY)).await.map_err(shown)
}

async fn read(
    site: &Site,
    database: &impl Database,
    at: Timestamp,
    left: &mut Left,
) -> Result<Vec<Reading>, DbError> {
    let periods = Periods::at(at);
    let workers =
        |window| rollups::steps_statement(Scope::Installation, window, StepsBy::Worker, None, None);
    let spending = |window| rollups::accounts_statement(None, window);
    let rows = database
        .batch_of([
            workers(&periods.now),
            workers(&periods.before),
            spending(&periods.now),
            spending(&periods.before),
            spending(&periods.early),
        ])
        .await?;
    let [workers_now, workers_before, now, before, early] = rows;
    let mut found = readings::of_workers(&workers_now.decode()?, &workers_before.decode()?);
    let (now, before): (Vec<AccountTotal>, Vec<AccountTotal>) = (now.decode()?, before.decode()?);
    found.extend(readings::of_spending(&now, &before, &early.decode()?, BEFORE_HOURS as f64));
    let accounts = busiest(&now, left);
    found.extend(templates(database, &periods, &accounts).await?);
    found.extend(places(site, database, &accounts, left).await?);
    Ok(found)
}

/// The accounts in which most has ended lately, and those that were found pressed.
fn busiest(now: &[AccountTotal], left: &Left) -> Vec<String> {
    let mut rows: Vec<&AccountTotal> = now.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.ended()));
    let names = left.pressed.keys().chain(rows.into_iter().map(|row| &row.account_id));
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(*name)).take(ACCOUNTS_MAX).cloned().collect()
}

async fn templates(
    database: &impl Database,
    periods: &Periods,
    accounts: &[String],
) -> Result<Vec<Reading>, DbError> {
    let of = |account: &String, window| {
        let scope = Scope::Account(account);
        rollups::executions_statement(scope, window, ExecutionsBy::Template, None)
    };
    let both = |account| [of(account, &periods.now), of(account, &periods.before)];
    let rows = database.batch(accounts.iter().flat_map(both).collect()).await?;
    let mut found = Vec::new();
    for (account, rows) in accounts.iter().zip(rows.chunks_exact(2)) {
        let (now, before) = (rows[0].decode()?, rows[1].decode()?);
        found.extend(readings::of_templates(OfAccount { account, now: &now, before: &before }));
    }
    Ok(found)
}

/// How full the accounts are, as their Governors know. One that does not answer is passed over.
async fn places(
    site: &Site,
    database: &impl Database,
    accounts: &[String],
    left: &mut Left,
) -> Result<Vec<Reading>, DbError> {
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let limits = accounts::places(database, &names).await?;
    let asked = accounts.iter().map(async |account| {
        let figures = governor::figures(&site.bindings, account).await.ok()?;
        let own = limits.iter().find(|limit| limit.id == *account);
        let own = own.and_then(|limit| limit.max_concurrent_executions);
        Some(Fullness {
            account: account.clone(),
            taken: figures.places,
            waiting: figures.waiting,
            places_max: own.unwrap_or(site.config.concurrent_executions_max),
            pressed: left.pressed.get(account).copied().unwrap_or(0),
        })
    });
    let found: Vec<Option<Fullness>> =
        stream::iter(asked).buffer_unordered(ASKED_AT_ONCE).collect().await;
    let found: Vec<Fullness> = found.into_iter().flatten().collect();
    let pressed = found.iter().filter(|it| readings::is_pressed(it));
    left.pressed = pressed.map(|it| (it.account.clone(), it.pressed + 1)).collect();
    Ok(readings::of_places(&found))
}

/// An alert as it is judged; one that this build does not know is left alone.
fn standing_of(alert: Alert) -> Option<Standing> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == alert.kind)?;
    let types = ["account", "worker", "template"];
    let subject_type = types.into_iter().find(|word| *word == alert.subject_type)?;
    let (account, subject) = (alert.account_id, alert.subject);
    let evidence: Evidence = serde_json::from_value(alert.evidence).unwrap_or_default();
    Some(Standing {
        id: alert.id,
        subject: Subject { account, kind, subject_type, subject },
        evidence,
    })
}

fn statement(decision: &Decision, at: Timestamp) -> Statement {
    match decision {
        Decision::Open(subject, finding) => {
            let id = Uuid::now_v7().to_string();
            let opened = Opened {
                id: &id,
                account: subject.account.as_deref(),
                kind: subject.kind.as_str(),
                subject_type: subject.subject_type,
                subject: &subject.subject,
            };
            alerts::open(opened, &written(finding), at)
        }
        Decision::Update(id, finding) => alerts::update(id, &written(finding), at),
        Decision::Note(id, evidence) => alerts::note(id, &evidence.json(), at),
        Decision::Resolve(id, evidence) => alerts::end(id, &evidence.json(), at),
    }
}

fn written(finding: &Finding) -> Figures {
    Figures {
        severity: finding.severity.as_str(),
        message: finding.message.clone(),
        metric: finding.metric.as_str(),
        observed: finding.observed,
        baseline: finding.baseline,
        threshold: finding.threshold,
        evidence: finding.evidence.json(),
    }
}

fn tell(decision: &Decision) {
    match decision {
        Decision::Open(subject, finding) => log::write(
            Level::Warn,
            json!({
                "event": "alert.opened",
                "alert.kind": subject.kind.as_str(),
                "alert.subject": format!("{} {}", subject.subject_type, subject.subject),
                "account": subject.account,
                "severity": finding.severity.as_str(),
                "message": finding.message,
            }),
        ),
        Decision::Resolve(id, _) => {
            log::write(Level::Info, json!({ "event": "alert.resolved", "alert.id": id }));
        }
        Decision::Update(_, _) | Decision::Note(_, _) => {}
    }
}
