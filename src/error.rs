//! The only place that maps errors to HTTP: every failure that a caller can meet, its stable code,
//! its status and its words. docs/errors.md says of each what causes and what cures it.
//!
//! It must not let internal text out: a `cause` goes to the log, under the request's id.

mod codes;
mod detail;
mod from;
mod live;
mod response;
mod shortfall;
mod sign_in;
mod standing;

use api_types::ErrorReply;
use engine::admission::Exhausted;
use engine::execution::Refusal;
use engine::ids::ExecutionId;
use engine::plan::Violation;

use crate::db::iso;
pub use codes::ErrorCode;
pub use detail::{DetailList, with_detail_list};
pub use live::LiveFault;
pub use shortfall::Shortfall;
pub use sign_in::SignInFault;
pub use standing::Standing;

/// The most violations that one reply lists, and that its detail spells out.
pub const VIOLATIONS_MAX: usize = 100;
const VIOLATIONS_IN_DETAIL_MAX: usize = 5;

/// What went wrong with a request.
#[derive(Debug)]
pub enum ApiError {
    /// No endpoint has this path.
    RouteUnknown,
    /// The endpoint does not know this method.
    MethodNotAllowed,
    /// The request line cannot be read.
    RequestUnreadable,
    /// The body is no JSON.
    JsonMalformed { line: usize, column: usize, message: String },
    /// The body is JSON and does not fit.
    RequestInvalid(Vec<Violation>),
    /// The query does not fit.
    QueryInvalid(Vec<Violation>),
    /// A part of the path does not fit.
    PathInvalid(Vec<Violation>),
    /// A header does not fit.
    HeaderInvalid { name: &'static str, message: String },
    /// The body is larger than is read.
    BodyTooLarge { bytes_max: usize },
    /// The body does not say how long it is.
    LengthRequired,
    /// The body ended before it was complete.
    BodyInterrupted,
    /// The body is of a type that is not read.
    MediaTypeUnsupported,
    /// No client credential was sent.
    ApiKeyRequired,
    /// The client credential is not valid.
    ApiKeyInvalid,
    /// No worker credential was sent.
    WorkerRequired,
    /// The worker credential is not valid.
    WorkerInvalid { message: &'static str },
    /// A sign-in, or what came of one, does not hold.
    SignIn(SignInFault),
    /// Without this user nobody could administer the installation.
    LastAdministrator { name: String },
    /// The credentials do not allow this.
    ScopeMissing { scope: &'static str },
    /// The credentials administer one account, and this belongs to the installation.
    OperatorRequired,
    /// A connection to `/ws` is not opened.
    Live(LiveFault),
    /// This deployment answers no questions about performance.
    InsightsDisabled,
    /// The secret of this audience is not set.
    AuthNotConfigured { secret: &'static str },
    /// A variable has a value that cannot be used.
    ConfigInvalid { variables: Vec<&'static str> },
    /// The request has no topic; `violations` holds what else is wrong with it.
    TopicMissing { violations: Vec<Violation> },
    /// No template has this name.
    TemplateNotFound { name: String },
    /// The rows of the template make no valid plan.
    TemplateInvalid { name: String, violations: Vec<Violation> },
    /// Nothing can call the tool as it stands.
    ToolNotCallable { name: String, violations: Vec<Violation> },
    /// No execution has this id, or it is not the caller's.
    PipelineNotFound,
    /// No thing of this kind has this name or id, or it is not the caller's.
    ResourceNotFound { kind: &'static str, name: String },
    /// A thing of this kind has this name already.
    ResourceExists { kind: &'static str, name: String },
    /// Something needs the thing as it is.
    ResourceInUse { kind: &'static str, name: String, message: String },
    /// The thing is not as it was when the caller read it.
    ResourceChanged { kind: &'static str, name: String },
    /// The change does not fit how the thing stands.
    Standing(Box<Standing>),
    /// The job's status does not lead to the one that is asked for.
    JobTransition { message: String },
    /// The alert is resolved: nothing can be said of it any more.
    AlertResolved { id: String },
    /// The key is revoked, has expired or was rotated.
    KeyOver { message: String },
    /// The account may do nothing.
    AccountSuspended,
    /// The content has no bytes where the header Range asks for them.
    RangeUnsatisfiable { size_bytes: u64 },
    /// The link was not made here, or no longer works.
    LinkInvalid { message: &'static str },
    /// No way through the plan is as cheap as the budget.
    BudgetTooSmall(Box<Shortfall>),
    /// As many executions as may be are in progress.
    AdmissionRefused { retry_after_s: u32, message: String },
    /// The caller has made more requests than it may.
    RateLimited { per_minute: u32, retry_after_s: u32 },
    /// A budget of the account, or of the key, leaves no room.
    AccountExhausted { exhausted: Box<Exhausted>, retry_after_s: u32 },
    /// The idempotency key came before with another body.
    IdempotencyMismatch,
    /// The execution failed.
    ExecutionFailed { id: ExecutionId, code: String, message: String },
    /// The execution was called off before its end.
    ExecutionCancelled { id: ExecutionId },
    /// What was said to an execution does not apply to it as it stands.
    Refused { id: ExecutionId, code: ErrorCode, message: String },
    /// More has come in for an execution than its driver has met.
    InboxFull { id: ExecutionId, max: u64 },
    /// The event to go on from is none of this execution.
    EventIdInvalid { message: String },
    /// The database did not answer.
    DatabaseUnavailable { cause: String },
    /// The database lacks a table or column.
    DatabaseOutdated { cause: String },
    /// The database lacks a row of policy that every installation has.
    PolicyMissing { cause: String },
    /// A journal did not answer.
    JournalUnavailable { cause: String },
    /// The bucket did not answer.
    StorageUnavailable { cause: String },
    /// A binding that this deployment needs is not there.
    BindingMissing { name: String },
    /// A defect.
    Internal { cause: String },
}

impl ApiError {
    /// The refusal of a message by the engine.
    pub fn refused(id: &ExecutionId, refusal: Refusal) -> Self {
        let Refusal { code: said, message } = refusal;
        let known = ErrorCode::parse(said);
        let message = if known.is_some() { message } else { format!("{message} ({said})") };
        let code = known.unwrap_or(ErrorCode::ExecutionRefused);
        Self::Refused { id: id.clone(), code, message }
    }

    /// The code that stands for it.
    pub fn code(&self) -> ErrorCode {
        self.parts().code
    }

    /// The execution that it concerns.
    pub fn execution(&self) -> Option<&ExecutionId> {
        self.parts().execution
    }

    /// What stands in the log and nowhere else.
    pub fn cause(&self) -> Option<&str> {
        self.parts().cause
    }

    /// The body of the reply. `timestamp` is ISO 8601 UTC.
    pub fn reply(&self, request_id: &str, timestamp: String) -> ErrorReply {
        let Parts { code, detail, violations, execution, cause: _ } = self.parts();
        let error = if let Self::TemplateNotFound { name } = self {
            format!("Pipeline template '{name}' not found")
        } else {
            code.error().to_owned()
        };
        let retry_suggestions = if let Self::BudgetTooSmall(shortfall) = self {
            shortfall.suggestions()
        } else {
            code.suggestions().iter().map(|text| (*text).to_owned()).collect()
        };
        ErrorReply {
            status: "error".to_owned(),
            detail: detail.unwrap_or_else(|| error.clone()),
            error,
            code: code.as_str().to_owned(),
            request_id: request_id.to_owned(),
            timestamp,
            pipeline_id: execution.map(ToString::to_string),
            pipeline_url: execution.map(|id| format!("/pipeline/{id}")),
            current: self.current(),
            violations: violations.iter().map(wire_violation).collect(),
            retry_suggestions,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table: a line or two for each error")]
    fn parts(&self) -> Parts<'_> {
        use ErrorCode as Code;
        match self {
            Self::RouteUnknown => Parts::of(Code::RouteUnknown),
            Self::MethodNotAllowed => Parts::of(Code::MethodNotAllowed),
            Self::RequestUnreadable => Parts::of(Code::RequestUnreadable),
            Self::JsonMalformed { line, column, message } => Parts::of(Code::JsonMalformed)
                .detail(format!("Line {line}, column {column}: {message}")),
            Self::RequestInvalid(found) => Parts::of(Code::RequestInvalid).violations(found),
            Self::QueryInvalid(found) => Parts::of(Code::QueryInvalid).violations(found),
            Self::PathInvalid(found) => Parts::of(Code::PathInvalid).violations(found),
            Self::HeaderInvalid { name, message } => {
                Parts::of(Code::HeaderInvalid).detail(format!("{name}: {message}"))
            }
            Self::BodyTooLarge { bytes_max } => {
                Parts::of(Code::BodyTooLarge).detail(format!("At most {bytes_max} bytes are read"))
            }
            Self::LengthRequired => Parts::of(Code::LengthRequired),
            Self::BodyInterrupted => Parts::of(Code::BodyInterrupted),
            Self::MediaTypeUnsupported => Parts::of(Code::MediaTypeUnsupported),
            Self::ApiKeyRequired => Parts::of(Code::ApiKeyRequired),
            Self::ApiKeyInvalid => {
                Parts::of(Code::ApiKeyInvalid).detail("The X-API-Key that was sent is not valid")
            }
            Self::WorkerRequired => Parts::of(Code::WorkerRequired),
            Self::WorkerInvalid { message } => Parts::of(Code::WorkerInvalid).detail(*message),
            Self::SignIn(fault) => Parts::of(fault.code()),
            Self::LastAdministrator { name } => Parts::of(Code::LastAdministrator)
                .detail(format!("Nobody but '{name}' administers the installation")),
            Self::ScopeMissing { scope } => {
                Parts::of(Code::ScopeMissing).detail(format!("The scope {scope} is needed"))
            }
            Self::OperatorRequired => Parts::of(Code::OperatorRequired)
                .detail("The credential administers one account; this is the operator's to do"),
            Self::InsightsDisabled => Parts::of(Code::InsightsDisabled)
                .detail("ENABLE_INSIGHTS is off in this environment"),
            Self::AuthNotConfigured { secret } => Parts::of(Code::AuthNotConfigured)
                .detail(format!("The secret {secret} is not set, or too short")),
            Self::ConfigInvalid { variables } => Parts::of(Code::ConfigInvalid)
                .detail(format!("Not valid: {}", variables.join(", "))),
            Self::TopicMissing { violations } => {
                Parts { violations, ..Parts::of(Code::TopicMissing) }
            }
            Self::TemplateNotFound { .. } => Parts::of(Code::TemplateNotFound),
            Self::TemplateInvalid { name, violations } => Parts {
                detail: Some(format!("Template '{name}': {}", one_line(violations))),
                ..Parts::of(Code::TemplateInvalid).violations(violations)
            },
            Self::ToolNotCallable { name, violations } => Parts {
                detail: Some(format!("Tool '{name}': {}", one_line(violations))),
                ..Parts::of(Code::ToolNotCallable).violations(violations)
            },
            Self::PipelineNotFound => Parts::of(Code::PipelineNotFound),
            Self::ResourceNotFound { kind, name } => {
                Parts::of(Code::ResourceNotFound).detail(format!("There is no {kind} '{name}'"))
            }
            Self::ResourceExists { kind, name } => Parts::of(Code::ResourceExists)
                .detail(format!("There is a {kind} '{name}' already")),
            Self::ResourceInUse { kind, name, message } => {
                Parts::of(Code::ResourceInUse).detail(format!("The {kind} '{name}' {message}"))
            }
            Self::ResourceChanged { kind, name } => Parts::of(Code::ResourceChanged)
                .detail(format!("The {kind} '{name}' is not as If-Match says")),
            Self::Standing(standing) => Parts::of(standing.code).detail(&*standing.message),
            Self::JobTransition { message } => {
                Parts::of(Code::JobTransition).detail(message.as_str())
            }
            Self::AlertResolved { id } => {
                Parts::of(Code::AlertResolved).detail(format!("The alert '{id}' is resolved"))
            }
            Self::KeyOver { message } => Parts::of(Code::KeyOver).detail(message.as_str()),
            Self::AccountSuspended => Parts::of(Code::AccountSuspended),
            Self::RangeUnsatisfiable { size_bytes } => Parts::of(Code::RangeUnsatisfiable)
                .detail(format!("The content has {size_bytes} bytes")),
            Self::LinkInvalid { message } => Parts::of(Code::LinkInvalid).detail(*message),
            Self::BudgetTooSmall(shortfall) => Parts::of(Code::BudgetTooSmall)
                .violations(shortfall.violations())
                .detail(shortfall.to_string()),
            Self::AdmissionRefused { message, .. } => {
                Parts::of(Code::AdmissionRefused).detail(message.as_str())
            }
            Self::RateLimited { per_minute, .. } => Parts::of(Code::RateLimited)
                .detail(format!("At most {per_minute} requests a minute are answered")),
            Self::AccountExhausted { exhausted, .. } => match exhausted.of_key {
                true => Parts::of(Code::KeyBudgetExhausted).detail(room("key", exhausted)),
                false => Parts::of(Code::AccountBudgetExhausted).detail(room("account", exhausted)),
            },
            Self::IdempotencyMismatch => Parts::of(Code::IdempotencyMismatch),
            Self::ExecutionFailed { id, code, message } => {
                Parts::of(Code::ExecutionFailed).detail(format!("{message} ({code})")).about(id)
            }
            Self::ExecutionCancelled { id } => Parts::of(Code::ExecutionCancelled).about(id),
            Self::Refused { id, code, message } => {
                Parts::of(*code).detail(message.as_str()).about(id)
            }
            Self::InboxFull { id, max } => Parts::of(Code::InboxFull)
                .detail(format!("{max} messages wait until the execution's driver meets them"))
                .about(id),
            Self::EventIdInvalid { message } => {
                Parts::of(Code::EventIdInvalid).detail(message.as_str())
            }
            Self::Live(fault) => Parts { cause: fault.cause(), ..Parts::of(fault.code()) },
            Self::DatabaseUnavailable { cause } => Parts::of(Code::DatabaseUnavailable).log(cause),
            Self::DatabaseOutdated { cause } => Parts::of(Code::DatabaseOutdated).log(cause),
            Self::PolicyMissing { cause } => Parts::of(Code::PolicyMissing).log(cause),
            Self::JournalUnavailable { cause } => Parts::of(Code::JournalUnavailable).log(cause),
            Self::StorageUnavailable { cause } => Parts::of(Code::StorageUnavailable).log(cause),
            Self::BindingMissing { name } => Parts::of(Code::BindingMissing).log(name),
            Self::Internal { cause } => Parts::of(Code::Internal).log(cause),
        }
    }
}

/// What an error comes to.
struct Parts<'a> {
    code: ErrorCode,
    detail: Option<String>,
    violations: &'a [Violation],
    execution: Option<&'a ExecutionId>,
    cause: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(code: ErrorCode) -> Self {
        Self { code, detail: None, violations: &[], execution: None, cause: None }
    }

    fn detail(self, text: impl Into<String>) -> Self {
        Self { detail: Some(text.into()), ..self }
    }

    fn violations(self, violations: &'a [Violation]) -> Self {
        Self { detail: Some(one_line(violations)), violations, ..self }
    }

    fn about(self, execution: &'a ExecutionId) -> Self {
        Self { execution: Some(execution), ..self }
    }

    fn log(self, cause: &'a str) -> Self {
        Self { cause: Some(cause), ..self }
    }
}

/// Which budget of whom leaves no room, and when it is whole again.
fn room(whose: &str, exhausted: &Exhausted) -> String {
    let Exhausted { period, max, spent, reserved, wanted, renews_at, of_key: _ } = exhausted;
    format!(
        "The {} budget of the {whose} is {max}; {spent} is spent and {reserved} is reserved for \
         executions in progress, so {wanted} more does not fit. It renews at {}",
        period.as_str(),
        iso(*renews_at),
    )
}

fn one_line(violations: &[Violation]) -> String {
    let spelled = violations.iter().take(VIOLATIONS_IN_DETAIL_MAX).map(|violation| match violation
        .pointer
        .as_str()
    {
        "" => violation.message.clone(),
        pointer => format!("{pointer}: {}", violation.message),
    });
    let mut line = spelled.collect::<Vec<_>>().join("; ");
    if violations.len() > VIOLATIONS_IN_DETAIL_MAX {
        line.push_str(&format!("; and {} more", violations.len() - VIOLATIONS_IN_DETAIL_MAX));
    }
    line
}

/// A violation as replies have it.
pub fn wire_violation(violation: &Violation) -> api_types::Violation {
    let Violation { pointer, code, message } = violation.clone();
    api_types::Violation { pointer, code, message }
}

#[cfg(test)]
mod tests;
