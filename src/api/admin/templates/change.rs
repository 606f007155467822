//! Changes of templates. Each is one batch, which writes the rows, the revision and the entry of
//! the audit log together.

use api_types::admin::{
    AdminTemplateReply, CloneRequest, RollbackRequest, TemplateDocument, TemplatePatch,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::plan::Violation;
use serde_json::{Map, Value, json};

use super::{
    KIND, Sent, WorkerUrls, of_document, of_rows_there, readable_precondition, refused, shown,
    with_location,
};
use crate::api::precondition;
use crate::audit::{self, Change};
use crate::auth::{Authorized, Caller, Operate};
use crate::db::{D1, drafts};
use crate::error::ApiError;
use crate::extract::{JsonDocument, TemplatePath};
use crate::openapi::{ADMIN, AdminErrors, BodyErrors, TemplateChangeErrors};
use crate::publishing::{
    Changed, Logged, Publisher, Refusal, Wish, check, of_definition, of_rows, rows,
};
use crate::request::RequestContext;
use crate::templates::TemplateCache;

/// Publishes a new template. Everything that is wrong with it is listed, and then nothing is
/// written.
#[utoipa::path(
    post, path = "/admin/templates", tag = ADMIN,
    request_body = TemplateDocument,
    responses(
        (status = 201, description = "It is published", body = AdminTemplateReply),
        BodyErrors, AdminErrors,
        (status = 409, description = "There is a template of this name",
            body = api_types::ErrorReply),
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_template(
    authorized: Authorized<Operate>,
    context: RequestContext,
    sent: JsonDocument<TemplateDocument>,
) -> Result<Response, ApiError> {
    let document = accepted(&context, sent, None).await?;
    let name = document.name.clone().unwrap_or_default();
    let maker = Maker::new(&context, &authorized.caller, "template.created");
    let wish = Wish::Create(document);
    let changed = maker.make(&HeaderMap::new(), &name, &wish, of_document).await?;
    Ok(with_location((StatusCode::CREATED, shown(changed)).into_response(), &name))
}

/// Publishes a document in the place of a template, as its next revision. The same document again
/// changes nothing. What has started keeps the revision that it started with.
#[utoipa::path(
    put, path = "/admin/templates/{name}", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The template's name", example = "quick_look"),
        ("If-Match" = Option<String>, Header, description = "Only if the template is still what \
            this tag stands for"),
    ),
    request_body = TemplateDocument,
    responses(
        (status = 200, description = "It is published", body = AdminTemplateReply),
        BodyErrors, TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn replace_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    headers: HeaderMap,
    sent: JsonDocument<TemplateDocument>,
) -> Result<Response, ApiError> {
    readable_precondition(&headers)?;
    let document = accepted(&context, sent, Some(&name)).await?;
    let maker = Maker::new(&context, &authorized.caller, "template.replaced");
    maker.make(&headers, &name, &Wish::Replace(document), of_document).await.map(shown)
}

/// Changes attributes of a template: a JSON merge patch (RFC 7396) of everything but its steps.
#[utoipa::path(
    patch, path = "/admin/templates/{name}", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The template's name", example = "quick_look"),
        ("If-Match" = Option<String>, Header, description = "Only if the template is still what \
            this tag stands for"),
    ),
    request_body = TemplatePatch,
    responses(
        (status = 200, description = "It is changed", body = AdminTemplateReply),
        BodyErrors, TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn patch_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    headers: HeaderMap,
    sent: JsonDocument<TemplatePatch>,
) -> Result<Response, ApiError> {
    readable_precondition(&headers)?;
    let patch = sent.value.as_object().cloned().unwrap_or_default();
    sent.typed()?;
    let maker = Maker::new(&context, &authorized.caller, "template.patched");
    maker.make(&headers, &name, &Wish::Merge(patch), of_document).await.map(shown)
}

/// Removes a template that is not the default and that no other one names. Its revisions and
/// executions stay readable.
#[utoipa::path(
    delete, path = "/admin/templates/{name}", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The template's name", example = "quick_look"),
        ("If-Match" = Option<String>, Header, description = "Only if the template is still what \
            this tag stands for"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn remove_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    readable_precondition(&headers)?;
    let maker = Maker::new(&context, &authorized.caller, "template.removed");
    maker.remove(&headers, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a template one that can be started.
#[utoipa::path(
    post, path = "/admin/templates/{name}/activate", tag = ADMIN,
    params(("name" = String, Path, description = "The template's name", example = "quick_look")),
    responses(
        (status = 200, description = "It is active", body = AdminTemplateReply),
        TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn activate_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let maker = Maker::new(&context, &authorized.caller, "template.activated");
    maker.mark(&headers, &name, ("is_active", true)).await.map(shown)
}

/// Takes care that a template is not started any more. What has started goes on.
#[utoipa::path(
    post, path = "/admin/templates/{name}/deactivate", tag = ADMIN,
    params(("name" = String, Path, description = "The template's name", example = "quick_look")),
    responses(
        (status = 200, description = "It is not active; warnings name the active templates whose \
            steps name it", body = AdminTemplateReply),
        TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn deactivate_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let maker = Maker::new(&context, &authorized.caller, "template.deactivated");
    let mut changed = maker.mark(&headers, &name, ("is_active", false)).await?;
    let named_by = std::mem::take(&mut changed.named_by);
    changed.warnings.extend(named_by.into_iter().map(|other| Violation {
        pointer: "/is_active".to_owned(),
        code: "template.named_by".to_owned(),
        message: format!("a step of `{other}` names it: `{other}` cannot be started now"),
    }));
    Ok(shown(changed))
}

/// Makes a template the one that requests without a name get.
#[utoipa::path(
    post, path = "/admin/templates/{name}/default", tag = ADMIN,
    params(("name" = String, Path, description = "The template's name", example = "quick_look")),
    responses(
        (status = 200, description = "It is the default", body = AdminTemplateReply),
        TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn default_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let maker = Maker::new(&context, &authorized.caller, "template.made_default");
    maker.mark(&headers, &name, ("is_default", true)).await.map(shown)
}

/// Publishes what an older revision held as a new one. What is for people stays as it is, and
/// workers are as the registry has them now.
#[utoipa::path(
    post, path = "/admin/templates/{name}/rollback", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The template's name", example = "quick_look"),
        ("If-Match" = Option<String>, Header, description = "Only if the template is still what \
            this tag stands for"),
    ),
    request_body = RollbackRequest,
    responses(
        (status = 200, description = "It is published", body = AdminTemplateReply),
        BodyErrors, TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn roll_back_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    headers: HeaderMap,
    sent: JsonDocument<RollbackRequest>,
) -> Result<Response, ApiError> {
    readable_precondition(&headers)?;
    let RollbackRequest { revision } = sent.typed()?;
    let definition = super::revisions::definition(&context.database()?, &name, revision).await?;
    let maker = Maker::new(&context, &authorized.caller, "template.rolled_back");
    let wish = Wish::Restore(of_definition(&definition));
    maker.make(&headers, &name, &wish, of_rows_there).await.map(shown)
}

/// Publishes a copy of a template under another name. The copy is never the default.
#[utoipa::path(
    post, path = "/admin/templates/{name}/clone", tag = ADMIN,
    params(("name" = String, Path, description = "The template's name", example = "quick_look")),
    request_body = CloneRequest,
    responses(
        (status = 201, description = "The copy is published", body = AdminTemplateReply),
        BodyErrors, TemplateChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn clone_template(
    authorized: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    sent: JsonDocument<CloneRequest>,
) -> Result<Response, ApiError> {
    let CloneRequest { name: copy, display_name } = sent.typed()?;
    let original = drafts::current(&context.database()?, &name).await?.rows;
    let original = original.ok_or(ApiError::TemplateNotFound { name })?;
    let mut document = of_rows(&original);
    document.name = Some(copy.clone());
    document.is_default = Some(false);
    document.display_name = display_name.or(document.display_name);
    let maker = Maker::new(&context, &authorized.caller, "template.cloned");
    let wish = Wish::Create(document);
    let changed = maker.make(&HeaderMap::new(), &copy, &wish, of_rows_there).await?;
    Ok(with_location((StatusCode::CREATED, shown(changed)).into_response(), &copy))
}

/// A document that fits its schema; else everything that is wrong with it, what could be read of
/// it compiled as well.
async fn accepted(
    context: &RequestContext,
    sent: JsonDocument<TemplateDocument>,
    name: Option<&str>,
) -> Result<TemplateDocument, ApiError> {
    let Sent { document, unread } = Sent::read(sent, name).map_err(ApiError::RequestInvalid)?;
    if unread.is_empty() {
        return Ok(document);
    }
    let name = name.or(document.name.as_deref()).unwrap_or_default();
    let (database, urls) = (context.database()?, &context.config().worker_urls);
    let rows = rows(&document, name);
    let checked = check(&database, urls, &document, rows, unread).await?;
    Err(ApiError::RequestInvalid(checked.violations))
}

/// Who makes changes, and what the audit log calls them.
struct Maker<'a> {
    context: &'a RequestContext,
    caller: &'a Caller,
    change: &'static str,
}

impl<'a> Maker<'a> {
    fn new(context: &'a RequestContext, caller: &'a Caller, change: &'static str) -> Self {
        Self { context, caller, change }
    }

    async fn make(
        &self,
        headers: &HeaderMap,
        name: &str,
        wish: &Wish,
        invalid: fn(Vec<Violation>, &str) -> ApiError,
    ) -> Result<Changed, ApiError> {
        self.publish(headers, name, invalid, async |publisher| publisher.change(wish).await).await
    }

    async fn mark(
        &self,
        headers: &HeaderMap,
        name: &str,
        (flag, value): (&str, bool),
    ) -> Result<Changed, ApiError> {
        readable_precondition(headers)?;
        let patch: Map<String, Value> = [(flag.to_owned(), json!(value))].into_iter().collect();
        self.make(headers, name, &Wish::Merge(patch), of_rows_there).await
    }

    async fn remove(&self, headers: &HeaderMap, name: &str) -> Result<(), ApiError> {
        self.publish(headers, name, of_rows_there, async |publisher| publisher.remove().await).await
    }

    async fn publish<T>(
        &self,
        headers: &HeaderMap,
        name: &str,
        invalid: fn(Vec<Violation>, &str) -> ApiError,
        make: impl AsyncFnOnce(Publisher<'_, D1>) -> Result<T, Refusal>,
    ) -> Result<T, ApiError> {
        let worker_urls: &WorkerUrls = &self.context.config().worker_urls;
        let publisher = Publisher {
            db: &self.context.database()?,
            worker_urls,
            name,
            expected: &|state| precondition::check(headers, state, (KIND, name)).is_ok(),
            entry: &|Logged { before, after }| {
                let change = Change {
                    change: self.change,
                    subject_type: KIND,
                    subject: name,
                    account: None,
                    before,
                    after,
                };
                audit::written(self.context, self.caller, change)
            },
        };
        let made = make(publisher).await;
        TemplateCache::shared(worker_urls).forget();
        made.map_err(|refusal| refused(refusal, name, invalid))
    }
}
