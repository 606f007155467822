//! Lists of jobs. A status is asked for as the journals have it: rows whose execution goes on are
//! looked at before they are shown or passed over.

use api_types::jobs::{JobQuery, JobSort, JobsReply};
use axum::Json;
use engine::plan::Violation;

use crate::api::query::{label, moment, report};
use crate::auth::{Authorized, ClientRead};
use crate::db::jobs::{self, Filter, Job, Order, Page};
use crate::db::{D1, Database};
use crate::driver::Site;
use crate::error::ApiError;
use crate::extract::Query;
use crate::jobs::standing::{current, shown};
use crate::openapi::{ClientErrors, JOBS, QueryErrors};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;
/// How many pages of rows one page with a status looks at.
const ROUNDS_MAX: usize = 4;
/// The most executions that go on and are looked at for a total.
const FOLLOWING_MAX: u32 = 200;
const MOMENT_CHARS: usize = "2026-11-21T10:00:00.000Z".len();

/// Jobs, newest first, each with where it stands at this moment.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = JOBS,
    params(JobQuery),
    responses(
        (status = 200, description = "A page", body = JobsReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_jobs(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<JobQuery>,
) -> Result<Json<JobsReply>, ApiError> {
    let wants_total = query.total == Some(true);
    let (filter, page) = read(query)?;
    let account = authorized.caller.account();
    let (database, site) = (context.database()?, context.site());
    let (found, next_cursor) = gather(&database, &site, account, &filter, page).await?;
    let total = match wants_total {
        true => Some(total(&database, &site, account, &filter).await?),
        false => None,
    };
    let jobs = found.into_iter().map(shown).collect::<Result<_, _>>()?;
    Ok(Json(JobsReply { jobs, next_cursor, total }))
}

/// The jobs of a page, and the cursor of the next one.
async fn gather(
    db: &D1,
    site: &Site,
    account: &str,
    filter: &Filter,
    page: Page,
) -> Result<(Vec<Job>, Option<String>), ApiError> {
    let (order, limit) = (page.order, page.limit as usize);
    let mut page = page;
    let mut found = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let (rows, more) = jobs::page(db, account, filter, &page).await?;
        let mut left = more;
        for job in current(site, rows).await? {
            if found.len() == limit {
                left = true;
                break;
            }
            page.after = Some((order.key(&job), job.id.clone()));
            if filter.status.as_ref().is_none_or(|status| *status == job.status) {
                found.push(job);
            }
        }
        if !left {
            return Ok((found, None));
        }
        if found.len() == limit {
            break;
        }
    }
    Ok((found, page.after.map(|(key, id)| format!("{}_{id}", key.replace(' ', "~")))))
}

async fn total(
    db: &impl Database,
    site: &Site,
    account: &str,
    filter: &Filter,
) -> Result<u64, ApiError> {
    let (settled, following) = jobs::total(db, account, filter, FOLLOWING_MAX).await?;
    let following = current(site, following).await?;
    let matching = following.iter().filter(|job| Some(&job.status) == filter.status.as_ref());
    Ok(settled + matching.count() as u64)
}

fn read(query: JobQuery) -> Result<(Filter, Page), ApiError> {
    let JobQuery {
        status,
        priority,
        search,
        created_from,
        created_to,
        sort,
        limit,
        cursor,
        total: _,
    } = query;
    let mut violations = Vec::new();
    let from = moment("/created_from", created_from, &mut violations);
    let to = moment("/created_to", created_to, &mut violations);
    let order = order(sort.unwrap_or_default());
    let after = cursor.and_then(|text| place(&text, order, &mut violations));
    if !violations.is_empty() {
        return Err(ApiError::QueryInvalid(violations));
    }
    let (status, priority) = (status.and_then(label), priority.and_then(label));
    let filter = Filter { priority, search, from, to, status };
    Ok((filter, Page { order, after, limit: limit.unwrap_or(PAGE_DEFAULT) }))
}

fn order(sort: JobSort) -> Order {
    match sort {
        JobSort::Newest => Order::Newest,
        JobSort::Oldest => Order::Oldest,
        JobSort::ChangedLast => Order::ChangedLast,
        JobSort::ChangedFirst => Order::ChangedFirst,
        JobSort::MostUrgent => Order::MostUrgent,
        JobSort::LeastUrgent => Order::LeastUrgent,
    }
}

/// The key and the id that a cursor names, where it is one of this order.
fn place(text: &str, order: Order, violations: &mut Vec<Violation>) -> Option<(String, String)> {
    let chars = match order {
        Order::MostUrgent | Order::LeastUrgent => MOMENT_CHARS + 2,
        Order::Newest | Order::Oldest | Order::ChangedLast | Order::ChangedFirst => MOMENT_CHARS,
    };
    let place = text.split_once('_').filter(|(key, _)| key.len() == chars);
    if place.is_none() {
        let message = "is not a next_cursor of an earlier page with this sort";
        report(violations, "/cursor", "cursor", message);
    }
    place.map(|(key, id)| (key.replace('~', " "), id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_serves_the_order_that_it_came_from() {
        let at = "2026-11-21T10:00:00.000Z";
        let mut violations = Vec::new();
        let mut read = |text: &str, order| place(text, order, &mut violations);
        assert_eq!(read(&format!("{at}_j"), Order::Newest), Some((at.to_owned(), "j".to_owned())));
        assert_eq!(
            read(&format!("4~{at}_j"), Order::MostUrgent),
            Some((format!("4 {at}"), "j".to_owned()))
        );
        assert_eq!(read(&format!("4~{at}_j"), Order::Newest), None);
        assert_eq!(read(&format!("{at}_j"), Order::LeastUrgent), None);
        assert_eq!(read("soon", Order::Newest), None);
        assert_eq!(violations.len(), 3);
    }
}
