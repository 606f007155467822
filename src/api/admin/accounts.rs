//! Accounts: the operator makes and changes them, an administrator of one reads its own. A change
//! is met by starts within a minute.

use api_types::admin::{
    AccountEntry, AccountPatch, AccountStatus, AccountsQuery, AccountsReply, NewAccount,
};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::money::MicroUsd;
use engine::plan::Violation;
use serde_json::{Value, json};

use crate::api::merge_patch::merge;
use crate::api::precondition;
use crate::api::query::{label, report};
use crate::audit::{self, Change};
use crate::auth::{ACCOUNT_DEFAULT, Administer, Authorized, Operate, Reach};
use crate::db::accounts::{self, Account};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::openapi::{
    ADMIN, AdminErrors, BodyErrors, ChangeErrors, CreateErrors, NotFoundErrors, QueryErrors,
};
use crate::request::RequestContext;

const KIND: &str = "account";
const PAGE_DEFAULT: u32 = 50;

/// The accounts. An administrator of one account sees that one.
#[utoipa::path(
    get, path = "/admin/accounts", tag = ADMIN,
    params(AccountsQuery),
    responses(
        (status = 200, description = "A page of accounts", body = AccountsReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_accounts(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<AccountsQuery>,
) -> Result<Json<AccountsReply>, ApiError> {
    let AccountsQuery { status, limit, cursor } = query;
    let database = context.database()?;
    let (found, more) = match authorized.caller.reach() {
        Reach::Installation => {
            let (status, limit) = (status.and_then(label), limit.unwrap_or(PAGE_DEFAULT));
            accounts::page(&database, status.as_deref(), cursor.as_deref(), limit).await?
        }
        Reach::Account(own) => {
            let found = accounts::by_id(&database, own).await?;
            let fits = |account: &Account| {
                let fits = status.is_none_or(|wanted| status_of(&account.status) == wanted);
                fits && cursor.as_deref().is_none_or(|after| account.id.as_str() > after)
            };
            (found.into_iter().filter(fits).collect(), false)
        }
    };
    let next_cursor = found.last().filter(|_| more).map(|account| account.id.clone());
    Ok(Json(AccountsReply { accounts: found.into_iter().map(shown).collect(), next_cursor }))
}

/// Makes an account.
#[utoipa::path(
    post, path = "/admin/accounts", tag = ADMIN,
    request_body = NewAccount,
    responses(
        (status = 201, description = "It is made; keys can be issued for it", body = AccountEntry,
            headers(("ETag" = String, description = "What it was made as, for If-Match"))),
        BodyErrors, CreateErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_account(
    authorized: Authorized<Operate>,
    context: RequestContext,
    body: JsonDocument<NewAccount>,
) -> Result<Response, ApiError> {
    let NewAccount {
        id,
        name,
        status,
        daily_budget_usd,
        monthly_budget_usd,
        max_concurrent_executions,
    } = body.typed()?;
    let patch = AccountPatch {
        name,
        status,
        daily_budget_usd,
        monthly_budget_usd,
        max_concurrent_executions,
    };
    let account = with(Account { id, ..Account::default() }, patch);
    let database = context.database()?;
    let change = logged("account.created", &account.id, None, Some(document(&account)));
    let by = (&context, &authorized.caller);
    if !audit::make(&database, by, accounts::create(&account), change, Vec::new()).await? {
        return Err(ApiError::ResourceExists { kind: KIND, name: account.id });
    }
    let mut response = reply(&context, StatusCode::CREATED, &account.id).await?;
    if let Ok(place) = format!("/admin/accounts/{}", account.id).try_into() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// One account.
#[utoipa::path(
    get, path = "/admin/accounts/{id}", tag = ADMIN,
    params(("id" = String, Path, description = "The account's id", max_length = 64)),
    responses(
        (status = 200, description = "The account", body = AccountEntry,
            headers(("ETag" = String, description = "What was read, for If-Match"))),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_account(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Response, ApiError> {
    match authorized.caller.reach() {
        Reach::Account(own) if own != id => Err(unknown(&id)),
        Reach::Account(_) | Reach::Installation => reply(&context, StatusCode::OK, &id).await,
    }
}

/// Changes an account, as a JSON merge patch (RFC 7396): null takes a limit away.
///
/// The keys of a suspended account are refused and nothing of it starts, within a minute; what is
/// in progress goes on.
#[utoipa::path(
    patch, path = "/admin/accounts/{id}", tag = ADMIN,
    request_body = AccountPatch,
    params(
        ("id" = String, Path, description = "The account's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The account as it is now", body = AccountEntry,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, ChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn change_account(
    authorized: Authorized<Operate>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
    body: JsonDocument<AccountPatch>,
) -> Result<Response, ApiError> {
    let database = context.database()?;
    let was = accounts::by_id(&database, &id).await?.ok_or_else(|| unknown(&id))?;
    precondition::check(&headers, &was.state, (KIND, &id))?;
    let account = patched(&was, body)?;
    let (before, after) = (document(&was), document(&account));
    if before != after {
        let change = logged(verb(&was, &account), &id, Some(before), Some(after));
        let by = (&context, &authorized.caller);
        if !audit::make(&database, by, accounts::change(&account), change, Vec::new()).await? {
            return Err(ApiError::ResourceChanged { kind: KIND, name: id });
        }
    }
    reply(&context, StatusCode::OK, &id).await
}

async fn reply(
    context: &RequestContext,
    status: StatusCode,
    id: &str,
) -> Result<Response, ApiError> {
    let found = accounts::by_id(&context.database()?, id).await?.ok_or_else(|| unknown(id))?;
    let tag = precondition::etag(&found.state);
    Ok((status, [(header::ETAG, tag)], Json(shown(found))).into_response())
}

/// What the change is called in the audit log.
fn verb(was: &Account, is: &Account) -> &'static str {
    match (status_of(&was.status), status_of(&is.status)) {
        (AccountStatus::Active, AccountStatus::Suspended) => "account.suspended",
        (AccountStatus::Suspended, AccountStatus::Active) => "account.reactivated",
        (AccountStatus::Active, AccountStatus::Active)
        | (AccountStatus::Suspended, AccountStatus::Suspended) => "account.updated",
    }
}

/// The account with the changes of a merge patch.
fn patched(was: &Account, body: JsonDocument<AccountPatch>) -> Result<Account, ApiError> {
    let patch = body.value.clone();
    body.typed()?;
    let mut changed = document(was);
    merge(&mut changed, patch);
    let account = with(was.clone(), JsonDocument::<AccountPatch>::of(changed).typed()?);
    if account.id == ACCOUNT_DEFAULT && status_of(&account.status) == AccountStatus::Suspended {
        let mut found: Vec<Violation> = Vec::new();
        let message = "the installation's own account cannot be suspended";
        report(&mut found, "/status", "account.default", message);
        return Err(ApiError::RequestInvalid(found));
    }
    Ok(account)
}

/// The account with all settings of the document; what that leaves out has its default.
fn with(account: Account, document: AccountPatch) -> Account {
    let AccountPatch {
        name,
        status,
        daily_budget_usd,
        monthly_budget_usd,
        max_concurrent_executions,
    } = document;
    Account {
        name: name.unwrap_or_default(),
        status: label(status.unwrap_or_default()).unwrap_or_default(),
        daily_budget_micro_usd: daily_budget_usd.and_then(micros),
        monthly_budget_micro_usd: monthly_budget_usd.and_then(micros),
        max_concurrent_executions,
        ..account
    }
}

/// The settings, as `PATCH` changes them and the audit log keeps them.
fn document(account: &Account) -> Value {
    json!({
        "name": account.name,
        "status": account.status,
        "daily_budget_usd": account.daily_budget_micro_usd.map(usd),
        "monthly_budget_usd": account.monthly_budget_micro_usd.map(usd),
        "max_concurrent_executions": account.max_concurrent_executions,
    })
}

fn shown(account: Account) -> AccountEntry {
    AccountEntry {
        status: status_of(&account.status),
        daily_budget_usd: account.daily_budget_micro_usd.map(usd),
        monthly_budget_usd: account.monthly_budget_micro_usd.map(usd),
        max_concurrent_executions: account.max_concurrent_executions,
        id: account.id,
        name: account.name,
        created_at: account.created_at,
        updated_at: account.updated_at,
    }
}

fn status_of(text: &str) -> AccountStatus {
    // The column's CHECK allows no third word.
    if text == "active" { AccountStatus::Active } else { AccountStatus::Suspended }
}

/// A budget of the wire as its column has it; the schema lets no other amount through.
pub(super) fn micros(usd: f64) -> Option<u64> {
    MicroUsd::from_usd(usd).map(MicroUsd::as_micros)
}

/// A budget of a column as the wire has it.
pub(super) fn usd(micros: u64) -> f64 {
    MicroUsd::from_micros(micros).as_usd()
}

fn logged<'a>(
    what: &'static str,
    id: &'a str,
    before: Option<Value>,
    after: Option<Value>,
) -> Change<'a> {
    Change { change: what, subject_type: KIND, subject: id, account: Some(id), before, after }
}

fn unknown(id: &str) -> ApiError {
    ApiError::ResourceNotFound { kind: KIND, name: id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            id: "acme".into(),
            name: "Acme".into(),
            status: "active".into(),
            daily_budget_micro_usd: Some(2_500_000),
            ..Account::default()
        }
    }

    fn patch(was: &Account, patch: Value) -> Result<Account, ApiError> {
        patched(was, JsonDocument::of(patch))
    }

    #[test]
    fn a_patch_changes_what_it_names_and_null_takes_a_limit_away() {
        let was = account();
        assert_eq!(patch(&was, json!({})).unwrap(), was);
        let changed =
            patch(&was, json!({"monthly_budget_usd": 0.000001, "max_concurrent_executions": 3}));
        let changed = changed.unwrap();
        assert_eq!(changed.monthly_budget_micro_usd, Some(1));
        assert_eq!(changed.daily_budget_micro_usd, Some(2_500_000));
        assert_eq!(changed.max_concurrent_executions, Some(3));
        let free = patch(&changed, json!({"daily_budget_usd": null})).unwrap();
        assert_eq!(free.daily_budget_micro_usd, None);
        let nothing = patch(&was, json!({"daily_budget_usd": 0})).unwrap();
        assert_eq!(nothing.daily_budget_micro_usd, Some(0), "no money is a limit, too");
    }

    #[test]
    fn the_log_says_whether_an_account_was_suspended() {
        let was = account();
        let suspended = patch(&was, json!({"status": "suspended"})).unwrap();
        assert_eq!(verb(&was, &suspended), "account.suspended");
        assert_eq!(verb(&suspended, &was), "account.reactivated");
        assert_eq!(verb(&was, &was), "account.updated");
    }

    #[test]
    fn the_installations_own_account_stays_active() {
        let own = Account { id: ACCOUNT_DEFAULT.into(), ..account() };
        let error = patch(&own, json!({"status": "suspended"})).unwrap_err();
        assert_eq!(error.reply("r", String::new()).violations[0].pointer, "/status");
        assert!(patch(&own, json!({"daily_budget_usd": 1})).is_ok());
    }
}
