//! What things cost, what is left of the budgets, and what the month will come to.

use api_types::admin::{Budget, CostsQuery, CostsReply, DayCost, Forecast, NamedCost};
use axum::Json;
use chrono::Days;
use engine::admission::Money;
use engine::money::MicroUsd;
use engine::plan::Violation;

use super::figures::{Part, account_of, count, ended, scope, usd};
use crate::api::query::report;
use crate::auth::{Administer, Authorized};
use crate::clock::now;
use crate::db::rollups::{
    AccountTotal, Executions, ExecutionsBy, Grain, Steps, StepsBy, Window, accounts_statement,
    executions_statement, steps_statement,
};
use crate::db::stats::{self, Budgeted};
use crate::db::{Database, Statement};
use crate::error::ApiError;
use crate::extract::Query;
use crate::insights::costs::{MEAN_OF_DAYS, Outlook, Span, begin, month_of, today};
use crate::openapi::{ADMIN, AdminErrors, QueryErrors};
use crate::request::RequestContext;
use crate::{figures, governor};

/// What things cost, in the installation or in one account.
///
/// Costs count on the day (UTC) on which the execution, or the step, ended. What is left of a
/// budget is what the account's own ledger says.
#[utoipa::path(
    get, path = "/admin/costs", tag = ADMIN,
    params(CostsQuery),
    responses(
        (status = 200, description = "The figures", body = CostsReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn admin_costs(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<CostsQuery>,
) -> Result<Json<CostsReply>, ApiError> {
    let CostsQuery { account, from, to, limit, skip, cursor } = query;
    let account = account_of(&authorized.caller, account);
    let span = Span::read(from.as_deref(), to.as_deref(), now()).map_err(refused)?;
    let part = Part::of(skip, limit);
    let database = context.database()?;
    figures::refresh(&database).await;
    let rows = database.batch(statements(account.as_deref(), span)).await?;
    let [days, workers, templates, accounts, month, week] = rows.as_slice() else {
        return Err(ApiError::Internal { cause: "costs without rows".to_owned() });
    };
    let days: Vec<Executions> = days.decode()?;
    let workers: Vec<Steps> = workers.decode()?;
    let (by_worker, a) =
        dearest(workers.iter().map(|row| (&row.worker_name, row.cost_micro_usd)), part);
    let templates: Vec<Executions> = templates.decode()?;
    let (by_template, b) =
        dearest(templates.iter().map(|row| (&row.subject, row.cost_micro_usd)), part);
    let accounts: Vec<AccountTotal> = accounts.decode()?;
    let (by_account, c) = match account {
        Some(_) => (Vec::new(), false),
        None => {
            dearest(accounts.iter().map(|row| (&row.account_id, row.own_cost_micro_usd())), part)
        }
    };
    let after = cursor.unwrap_or_default();
    let (budgets, next_cursor) =
        budgets(&context, account.as_deref(), &after, part.shown()).await?;
    Ok(Json(CostsReply {
        account,
        from: span.from.to_string(),
        to: span.to.to_string(),
        total_usd: usd(days.iter().map(own_cost).sum()),
        by_day: days.iter().map(of_day).collect(),
        by_worker,
        by_template,
        by_account,
        truncated: a || b || c,
        budgets,
        next_cursor,
        forecast: forecast(&month.decode()?, &week.decode()?),
    }))
}

fn refused(found: Vec<(&'static str, &'static str, &'static str)>) -> ApiError {
    let mut violations: Vec<Violation> = Vec::new();
    for (pointer, code, message) in found {
        report(&mut violations, pointer, code, message);
    }
    ApiError::QueryInvalid(violations)
}

/// By day, worker, template and account; this month; the last full days.
fn statements(account: Option<&str>, span: Span) -> Vec<Statement> {
    let days = |(from, to)| Window::series(Grain::Day, from, to);
    let window = days(span.moments());
    let day = today(now());
    let tomorrow = begin(day.checked_add_days(Days::new(1)).unwrap_or(day));
    let week_ago = begin(day.checked_sub_days(Days::new(MEAN_OF_DAYS)).unwrap_or(day));
    let of = |window: &Window, by| executions_statement(scope(account), window, by, None);
    vec![
        of(&window, ExecutionsBy::Bucket),
        steps_statement(scope(account), &window, StepsBy::Worker, None, None),
        of(&window, ExecutionsBy::Template),
        accounts_statement(account, &window),
        of(&days((begin(month_of(day)), tomorrow)), ExecutionsBy::Total),
        of(&days((week_ago, begin(day))), ExecutionsBy::Total),
    ]
}

/// What executions cost, each once: what is part of another stands in that one's cost too.
fn own_cost(row: &Executions) -> i64 {
    row.cost_micro_usd - row.nested_cost_micro_usd
}

fn of_day(row: &Executions) -> DayCost {
    DayCost {
        day: row.subject.get(..10).unwrap_or_default().to_owned(),
        cost_usd: usd(own_cost(row)),
        executions: count(ended(row)),
    }
}

/// The part of the dearest that is shown, and whether there are more. What has no name is left out.
fn dearest<'a>(
    rows: impl Iterator<Item = (&'a String, i64)>,
    part: Part,
) -> (Vec<NamedCost>, bool) {
    let mut rows: Vec<(&String, i64)> = rows.filter(|(name, _)| !name.is_empty()).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let (rows, more) = part.cut(rows);
    let named =
        |(name, cost): (&String, i64)| NamedCost { name: name.clone(), cost_usd: usd(cost) };
    (rows.into_iter().map(named).collect(), more)
}

/// A page of the accounts that have a limit, each with what its Governor says.
async fn budgets(
    context: &RequestContext,
    account: Option<&str>,
    after: &str,
    shown: usize,
) -> Result<(Vec<Budget>, Option<String>), ApiError> {
    let limit = u32::try_from(shown).unwrap_or(u32::MAX).saturating_add(1);
    let mut limited = stats::budgeted(&context.database()?, account, after, limit).await?;
    let more = limited.len() > shown;
    limited.truncate(shown);
    let next = limited.last().filter(|_| more).map(|account| account.id.clone());
    let mut found = Vec::new();
    for account in limited {
        let figures = governor::figures(context.bindings(), &account.id).await;
        let unreachable = |error: governor::Unreachable| ApiError::JournalUnavailable {
            cause: error.to_string(),
        };
        found.extend(of_account(&account, figures.map_err(unreachable)?.money));
    }
    Ok((found, next))
}

fn of_account(account: &Budgeted, money: Money) -> Vec<Budget> {
    let of = |period: &str, limit: Option<u64>, spent: MicroUsd| {
        let limit = MicroUsd::from_micros(limit?);
        Some(Budget {
            account: account.id.clone(),
            period: period.to_owned(),
            limit_usd: limit.as_usd(),
            spent_usd: spent.as_usd(),
            reserved_usd: money.held.as_usd(),
            left_usd: limit.minus(spent).minus(money.held).as_usd(),
        })
    };
    let daily = of("daily", account.daily_budget_micro_usd, money.spent_day);
    let monthly = of("monthly", account.monthly_budget_micro_usd, money.spent_month);
    [daily, monthly].into_iter().flatten().collect()
}

fn forecast(month: &[Executions], week: &[Executions]) -> Forecast {
    let sum = |rows: &[Executions]| rows.iter().map(own_cost).sum();
    let at = now();
    let outlook = Outlook::of(at, sum(month), sum(week));
    let dollars = |micros: f64| (micros.round() / 1_000_000.0).max(0.0);
    Forecast {
        month: today(at).format("%Y-%m").to_string(),
        spent_usd: dollars(outlook.spent),
        daily_mean_usd: dollars(outlook.daily_mean),
        days_left: (outlook.days_left * 1000.0).round() / 1000.0,
        forecast_usd: dollars(outlook.total()),
    }
}
