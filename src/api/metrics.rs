//! Metrics for Prometheus: of the installation for whoever has the workers' secret, else of the
//! caller's account.

use std::cell::RefCell;
use std::collections::BTreeMap;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use engine::time::{Millis, Timestamp};
use futures::future::{join, join3};
use futures::stream::{self, StreamExt};

use super::{VERSION, service};
use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::counts::{D1_ERRORS, SECURITY_EVENTS};
use crate::db::operation::{self, Noted};
use crate::db::{DbErrorKind, metrics as rows};
use crate::driver::{SHARDS, SweptShards};
use crate::error::ApiError;
use crate::metrics::text::CONTENT_TYPE;
use crate::metrics::{AccountGauges, Found, Installation, page};
use crate::openapi::{CLIENT, ClientErrors};
use crate::request::RequestContext;
use crate::security::Kind;
use crate::within::within;
use crate::{figures, governor, live};

/// How long an isolate tells the same page again.
const KEPT_FOR: Millis = Millis::from_secs(3);
/// The most accounts whose pages are kept.
const KEPT_MAX: usize = 100;
/// Accounts whose Governors are asked: those that started something last.
const ACCOUNTS_MAX: u32 = 25;
/// Governors that are asked at the same time: the platform allows six connections.
const ASKED_AT_ONCE: usize = 4;
/// How long a Governor may take.
const GOVERNOR_LIMIT: Millis = Millis::new(200);

thread_local! {
    static KEPT: RefCell<BTreeMap<String, (Timestamp, String)>> = RefCell::default();
}

/// Metrics in the text format of Prometheus.
///
/// With the workers' secret they are those of the installation, with a client's key those of its
/// account. Counters count what the database has seen: an execution counts within a second of its
/// end. A page is at most 3 seconds old; figures of the shards are those of the last sweep.
#[utoipa::path(
    get, path = "/metrics", tag = CLIENT,
    responses(
        (
            status = 200, description = "Metrics, text format 0.0.4",
            content_type = "text/plain; version=0.0.4; charset=utf-8", body = String,
        ),
        ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn metrics(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
) -> Result<Response, ApiError> {
    let account = match authorized.caller.is_worker() {
        true => None,
        false => Some(authorized.caller.account()),
    };
    let key = account.unwrap_or(rows::EVERYBODY);
    let text = match kept(key, now()) {
        Some(text) => text,
        None => {
            let text = page(&found(&context, account).await?);
            keep(key, now(), &text);
            text
        }
    };
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

async fn found(context: &RequestContext, account: Option<&str>) -> Result<Found, ApiError> {
    let database = context.database()?;
    figures::refresh(&database).await;
    let environment = context.config().environment.as_str().to_owned();
    let mut found =
        Found { build: (VERSION.to_owned(), environment), complete: true, ..Found::default() };
    let accounts = match account {
        Some(account) => {
            let (totals, spent, jobs) = rows::of_account(&database, account).await?;
            (found.totals, found.spent, found.jobs) = (totals, spent, by_status(jobs));
            vec![account.to_owned()]
        }
        None => {
            let all = rows::of_all(&database, ACCOUNTS_MAX).await?;
            let (size, swept, standing) = join3(
                database.size_bytes(),
                operation::noted(&database, SHARDS),
                service::standing(context),
            )
            .await;
            (found.totals, found.spent, found.jobs) = (all.totals, all.spent, by_status(all.jobs));
            let mut installation = Installation {
                workers: all.workers,
                alerts: all.alerts,
                problems: standing.problems.len() as u64,
                ready: service::ready(standing.look).is_ok(),
                ..Installation::default()
            };
            installation.d1_size_bytes = size;
            let kinds = DbErrorKind::ALL.map(|kind| (kind.as_str().to_owned(), 0));
            installation.d1_errors = BTreeMap::from(kinds);
            installation.security_events =
                Kind::ALL.map(|kind| (kind.as_str().to_owned(), 0)).into();
            for count in all.counts {
                let of = match count.name.as_str() {
                    D1_ERRORS => &mut installation.d1_errors,
                    SECURITY_EVENTS => &mut installation.security_events,
                    _ => continue,
                };
                of.insert(count.label, count.value);
            }
            note_shards(&mut installation, swept?, now());
            found.installation = Some(installation);
            all.accounts
        }
    };
    let asked = accounts.into_iter().map(|account| gauges(context, account));
    let told: Vec<Option<AccountGauges>> =
        stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
    found.complete &= told.iter().all(|it| it.as_ref().is_some_and(|it| it.live.is_some()));
    found.accounts = told.into_iter().flatten().collect();
    Ok(found)
}

fn by_status(jobs: Vec<rows::Jobs>) -> BTreeMap<String, u64> {
    jobs.into_iter().map(|jobs| (jobs.status, jobs.count)).collect()
}

async fn gauges(context: &RequestContext, account: String) -> Option<AccountGauges> {
    let gates = governor::figures(context.bindings(), &account);
    let sockets = live::figures(context.bindings(), &account);
    let (gates, sockets) =
        join(within(GOVERNOR_LIMIT, gates), within(GOVERNOR_LIMIT, sockets)).await;
    let live = sockets.and_then(Result::ok);
    Some(AccountGauges { gates: gates?.ok()?, live, account })
}

fn note_shards(installation: &mut Installation, swept: Option<Noted<SweptShards>>, now: Timestamp) {
    let Some(Noted { figures, at }) = swept else { return };
    let at = DateTime::parse_from_rfc3339(&at).ok();
    let at = at.map(|at| Timestamp::from_millis(at.timestamp_millis()));
    installation.sweep_age_s = at.map(|at| now.since(at).get() / 1000);
    let answered = figures.answered.len() as u64;
    installation.shards_silent = u64::from(figures.shards).saturating_sub(answered);
    installation.shards = figures.answered;
}

fn kept(key: &str, now: Timestamp) -> Option<String> {
    KEPT.with_borrow(|kept| {
        let (at, text) = kept.get(key)?;
        (now.since(*at) < KEPT_FOR).then(|| text.clone())
    })
}

fn keep(key: &str, now: Timestamp, text: &str) {
    KEPT.with_borrow_mut(|kept| {
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, (at, _)| now.since(*at) < KEPT_FOR);
        }
        if kept.len() < KEPT_MAX {
            kept.insert(key.to_owned(), (now, text.to_owned()));
        }
    });
}

#[cfg(test)]
mod tests {
    use engine::shard::Figures;

    use super::*;

    #[test]
    fn a_page_is_told_again_for_a_moment() {
        let at = |ms| Timestamp::from_millis(ms);
        assert_eq!(kept("acme", at(0)), None);
        keep("acme", at(0), "text");
        assert_eq!(kept("acme", at(2_999)).as_deref(), Some("text"));
        assert_eq!(kept("acme", at(3_000)), None);
        assert_eq!(kept("other", at(1)), None, "another account's page");
    }

    #[test]
    fn shards_that_said_nothing_are_counted() {
        let mut installation = Installation::default();
        let figures = SweptShards { shards: 8, answered: vec![(3, Figures::default())] };
        let noted = Noted { figures, at: "1970-01-01T00:00:01.000Z".to_owned() };
        note_shards(&mut installation, Some(noted), Timestamp::from_millis(9_000));
        assert_eq!((installation.shards_silent, installation.sweep_age_s), (7, Some(8)));
    }
}
