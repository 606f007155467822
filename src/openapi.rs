//! The OpenAPI document: what stands above the paths, the error replies that endpoints share, and
//! the endpoint that serves it. docs/openapi.json is its snapshot.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use api_types::ErrorReply;
use api_types::registry::ValidationReply;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{IntoResponses, OpenApi as _, ToSchema};

use crate::{rate, router};

/// What stands at a body that an endpoint can do without.
const MAY_BE_LEFT_OUT: &str = "May be left out";
const TOO_MANY: &str = "429";
const TOO_OFTEN: &str = "The caller asks too often; Retry-After says when to come again";

/// The tags of endpoints: who each is for.
pub const PUBLIC: &str = "public";
/// See [`PUBLIC`].
pub const CLIENT: &str = "client";
/// See [`PUBLIC`].
pub const WORKER: &str = "worker";
/// See [`PUBLIC`].
pub const ADMIN: &str = "admin";
/// See [`PUBLIC`].
pub const AGENTS: &str = "agents";
/// See [`PUBLIC`].
pub const PEOPLE: &str = "people";
/// See [`PUBLIC`].
pub const EVENTS: &str = "events";
/// See [`PUBLIC`].
pub const JOBS: &str = "jobs";
/// See [`PUBLIC`].
pub const UTILS: &str = "utils";

/// See [`PUBLIC`].
pub const TASKS: &str = "tasks";

/// See [`PUBLIC`].
pub const TOOLS: &str = "tools";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Bitware Orchestrator",
        description = "A serverless edge orchestrator for AI services. Pipelines are rows in a \
            database; every execution is durable, bounded in time and money, and explains itself.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(
        ErrorReply, api_types::Violation, ValidationReply, api_types::registry::InvalidField,
        api_types::registry::LocationPart,
        api_types::live::LiveClientMessage, api_types::live::LiveServerMessage,
    )),
    tags(
        (name = "public", description = "Open to everybody."),
        (name = "client", description = "Client applications, with X-API-Key."),
        (name = "worker", description = "Workers, with Authorization and X-Worker-ID."),
        (name = "admin", description = "Operators and administrators: a worker's credentials, or \
            a key with the scope admin."),
        (name = "people", description = "People: sign-in, and what one may do with one's own \
            user. Their access token goes wherever a key goes."),
        (name = "agents", description = "The store of agents: what each was asked, what it did, \
            what it cost. Who reads needs the scope read, who writes is a worker or has the scope \
            admin."),
        (name = "tasks", description = "Work for people and external agents, and the approvals \
            that executions wait for. Who reads needs the scope read; whoever may act on \
            executions makes, changes and does them."),
        (name = "jobs", description = "What people and clients want done. Who reads needs the \
            scope read, who changes the scope execute, or is a worker."),
        (name = "utils", description = "Whether what you wrote is valid. Who asks needs the scope \
            read."),
        (name = "events", description = "Everything that happens to an account, in the order in \
            which it happened. Who reads needs the scope read, who tells the scope execute."),
        (name = "tools", description = "The tool registry: nodes, tools, tags and artifacts. A key \
            with the scope read reads; a worker's credentials, or a key with the scope admin, \
            write. A 422 lists under detail what does not fit, as FastAPI services do."),
    ),
)]
struct Base;

/// The document without its paths.
pub fn base() -> OpenApi {
    let mut document = Base::openapi();
    let components = document.components.get_or_insert_default();
    let header = |name: &str, text: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, text)))
    };
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The secret that the installation shares with its workers."))
        .build();
    for (name, scheme) in [
        (people::USER_TOKEN, people::scheme()),
        ("client_key", header("X-API-Key", "A client's key.")),
        ("worker_secret", SecurityScheme::Http(bearer)),
        ("worker_id", header("X-Worker-ID", "A worker's name: 1 to 64 token characters.")),
    ] {
        components.add_security_scheme(name, scheme);
    }
    document
}

/// The document with what every endpoint has in common: that it refuses who asks too often.
pub fn finished(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        if path == rate::UNLIMITED_PATH {
            continue;
        }
        let methods =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            people::admit(operation);
            if let Some(RefOr::T(body)) = &mut operation.request_body
                && body.description.as_deref() == Some(MAY_BE_LEFT_OUT)
            {
                body.required = Some(Required::False);
            }
            let known = operation.responses.responses.remove(TOO_MANY);
            let text = match known {
                Some(RefOr::T(response)) => format!("{}; or {TOO_OFTEN}", response.description),
                Some(RefOr::Ref(_)) | None => TOO_OFTEN.to_owned(),
            };
            operation.responses.responses.insert(TOO_MANY.to_owned(), error_response(&text));
        }
    }
    examples::added(document)
}

/// The OpenAPI document of this API.
#[utoipa::path(
    get, path = "/openapi.json", tag = PUBLIC,
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub async fn openapi_json() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT
        .get_or_init(|| router::document().to_json().expect("the document is made of JSON values"));
    ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident: $($status:literal $text:literal),+;)+) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
                    BTreeMap::from([$(($status.to_owned(), error_response($text))),+])
                }
            }
        )+
    };
}

mod headers;
mod people;
pub use headers::{StartHeaders, VerbHeaders};
pub use people::{BootstrapErrors, PersonErrors, SignInErrors, UserChangeErrors};

errors! {
    /// What can go wrong with any endpoint that reads the database.
    ServerErrors:
        "500" "A defect; it is in the log under the request_id",
        "503" "The database, a journal or the configuration is not available";
    /// What can go wrong with any endpoint for clients.
    ClientErrors:
        "401" "A credential is missing or not valid",
        "403" "The credential does not allow this",
        "500" "A defect; it is in the log under the request_id",
        "503" "The database, a journal or the configuration is not available";
    /// What can go wrong with any endpoint of administration.
    AdminErrors:
        "401" "A credential is missing or not valid",
        "403" "The credential does not allow this",
        "500" "A defect; it is in the log under the request_id",
        "503" "The database, a journal or the configuration is not available";
    /// What can go wrong where a name or an id may be taken.
    ConflictErrors:
        "409" "Another has this name, or the id was used with other figures";
    /// What can go wrong with an endpoint that tells what arrives.
    TailErrors:
        "400" "Last-Event-ID is the id of no entry";
    /// What can go wrong where what came in is sent back.
    EchoErrors:
        "404" "There is no such endpoint in this environment",
        "413" "The body is larger than 64 KiB";
    /// What can go wrong where a job is made.
    MakeErrors:
        "402" "The budget is smaller than the least that the plan costs: the reply says what would \
            do; or a budget of the account leaves no room: Retry-After says when it renews",
        "404" "No template has this name",
        "409" "The template's rows make no valid plan, or the idempotency key was used with \
            another request",
        "429" "Too many executions of this account are in progress; Retry-After says when";
    /// What can go wrong where a job is given a status.
    JobStatusErrors:
        "402" "A budget of the account leaves no room: Retry-After says when it renews",
        "404" "No job has this id, or it is another account's",
        "409" "The job as it stands cannot take the status; detail says which it can",
        "412" "It is not as If-Match says, or was changed meanwhile",
        "429" "Too much has come in that no driver has met; Retry-After says when";
    /// What can go wrong where a job is taken away.
    JobRemoveErrors:
        "400" "If-Match has no list of tags",
        "404" "No job has this id, or it is another account's",
        "412" "It is not as If-Match says, or was changed meanwhile";
    /// What can go wrong where an event is told.
    TellErrors:
        "400" "The body is not valid JSON, or a header does not fit",
        "409" "Another event was told under this id",
        "413" "The body is larger than 64 KiB",
        "415" "The body is not JSON",
        "422" "The event does not fit; every violation is listed";
    /// What can go wrong with the insights.
    InsightsErrors:
        "404" "Insights are switched off in this environment";
    /// What can go wrong with an endpoint about one thing.
    NotFoundErrors:
        "404" "Nothing has this name or id, or it is another account's";
    /// What can go wrong where a thing is made.
    CreateErrors:
        "409" "There is one of this name already";
    /// What can go wrong where a thing is changed.
    ChangeErrors:
        "412" "It is not as If-Match says, or was changed meanwhile";
    /// What can go wrong with a key that has its end behind it.
    OverErrors:
        "409" "The key is revoked, has expired or was rotated already";
    /// What can go wrong where a thing is taken out of use.
    RetireErrors:
        "400" "If-Match has no list of tags",
        "409" "Something needs it; detail names what",
        "412" "It is not as If-Match says, or was changed meanwhile",
        "422" "The query does not fit; every violation is listed";
    /// What can go wrong where an alert is acknowledged.
    AlertErrors:
        "404" "There is no such alert, or it is another account's",
        "409" "The alert is resolved";
    /// What can go wrong where an idempotency key was sent.
    KeyErrors:
        "409" "The idempotency key was used with another request";
    /// What can go wrong where something is done with a task.
    TaskErrors:
        "403" "The credential does not allow this, or the task is for others",
        "409" "The task does not stand as the change needs it: current says how it does",
        "412" "It is not as If-Match says, or was changed meanwhile";
    /// What can go wrong where bytes are stored.
    StoreErrors:
        "400" "The body ended early, or a header does not fit",
        "411" "The request does not say how long the body is",
        "413" "The body is larger than 100 MiB";
    /// What can go wrong where a part of something is asked for.
    RangeErrors:
        "416" "There are no such bytes; Content-Range says how many there are";
    /// What can go wrong with an endpoint about one template.
    TemplateErrors:
        "404" "No template has this name";
    /// What can go wrong with a change of one template.
    TemplateChangeErrors:
        "400" "The body is not valid JSON, or a header does not fit",
        "404" "No template, or no revision of it, has this name or number",
        "409" "The template is in use, there is one of this name, or what it would be cannot be \
            started",
        "412" "It is no longer what If-Match names";
    /// What can go wrong with the plan of an execution.
    PlanErrors:
        "404" "No template has this name",
        "409" "The template's rows make no valid plan";
    /// What can go wrong with an endpoint about one execution.
    PipelineErrors:
        "401" "A credential that was sent is not valid",
        "404" "No execution has this id, or it is another account's",
        "500" "A defect; it is in the log under the request_id",
        "503" "The database, a journal or the configuration is not available";
    /// What can go wrong with an endpoint that reads a query.
    QueryErrors:
        "422" "The query does not fit; every violation is listed";
    /// What can go wrong with the start of an execution.
    StartErrors:
        "402" "The budget is smaller than the least that the plan costs: the reply says what would \
            do; or a budget of the account leaves no room: Retry-After says when it renews",
        "404" "No template has this name, or no tool this id",
        "409" "The template's rows make no valid plan, or the tool cannot be called; the \
            idempotency key was used with another request, or the execution was cancelled",
        "429" "Too many executions of this account are in progress; Retry-After says when",
        "502" "The execution failed";
    /// What can go wrong with a message to an execution.
    VerbErrors:
        "404" "No execution has this id, or it is another account's; or it has no such step",
        "409" "The execution as it stands does not allow this; the code says why",
        "429" "Too much has come in that no driver has met; Retry-After says when";
    /// What can go wrong where an execution goes on to spend.
    SpendErrors:
        "402" "A budget of the account leaves no room: Retry-After says when it renews";
    /// What can go wrong when an execution is done again.
    RestartErrors:
        "402" "The budget is smaller than the least that the plan costs, or a budget of the \
            account leaves no room: Retry-After says when it renews",
        "404" "No execution has this id, or it is another account's; or its template is gone",
        "409" "The execution has not ended, its journal is retired, the template's rows make no \
            valid plan, or the idempotency key was used with another request",
        "429" "Too many executions of this account are in progress; Retry-After says when",
        "502" "The new execution failed";
    /// What can go wrong with an endpoint that reads a journal.
    JournalErrors:
        "404" "No execution has this id, or it is another account's",
        "409" "The journal of the execution is retired";
    /// What can go wrong with an endpoint that tells events.
    EventErrors:
        "400" "Last-Event-ID is the id of no event of this execution",
        "404" "No execution has this id, or it is another account's",
        "409" "The journal of the execution is retired",
        "422" "The query does not fit; every violation is listed";
    /// What can go wrong with an endpoint that gives a result.
    ResultErrors:
        "404" "No execution has this id, or it is another account's",
        "409" "The execution goes on or was cancelled, or its journal is retired",
        "502" "The execution failed";
    /// What can go wrong with an endpoint that reads a body.
    BodyErrors:
        "400" "The body is not valid JSON, a header does not fit, or a required field is missing",
        "413" "The body is larger than 1 MiB",
        "415" "The body is not JSON",
        "422" "The request does not fit; every violation is listed";
}

/// What can go wrong with the path or the query of an endpoint of the tool registry.
pub struct RegistryPathErrors;

impl IntoResponses for RegistryPathErrors {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let text = "Something of the request does not fit; every violation is listed";
        BTreeMap::from([("422".to_owned(), response_of(ValidationReply::name(), text))])
    }
}

/// What can go wrong with an endpoint of the tool registry that reads a body.
pub struct RegistryBodyErrors;

impl IntoResponses for RegistryBodyErrors {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut responses = BodyErrors::responses();
        responses.extend(RegistryPathErrors::responses());
        responses
    }
}

fn error_response(text: &str) -> RefOr<utoipa::openapi::Response> {
    response_of(ErrorReply::name(), text)
}

fn response_of(schema: impl Into<String>, text: &str) -> RefOr<utoipa::openapi::Response> {
    let form = Ref::from_schema_name(schema);
    let content = ContentBuilder::new().schema(Some(form)).build();
    ResponseBuilder::new().description(text).content("application/json", content).build().into()
}

mod examples;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod tests;
