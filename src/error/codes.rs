//! The table of stable codes: name, status, code, what happened, and what may help.
//!
//! A code is never renamed and never given another meaning: programs depend on it.

use axum::http::StatusCode;

macro_rules! codes {
    ($($name:ident $status:ident $code:literal $error:literal [$($suggestion:literal),*];)+) => {
        /// The stable codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode { $(#[doc = $error] $name),+ }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The code that reads so on the wire.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// The status that goes with it.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }

            /// What happened, where the error has no words of its own.
            pub(super) fn error(self) -> &'static str {
                match self { $(Self::$name => $error),+ }
            }

            pub(super) fn suggestions(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($suggestion),*]),+ }
            }
        }
    };
}

codes! {
    RouteUnknown NOT_FOUND "route.unknown" "Endpoint not found"
        ["GET /help lists the endpoints."];
    MethodNotAllowed METHOD_NOT_ALLOWED "method.not_allowed" "Method not allowed"
        ["Use one of the methods in the Allow header."];
    RequestUnreadable BAD_REQUEST "request.unreadable" "The request cannot be read"
        ["Check the address and the method."];
    JsonMalformed BAD_REQUEST "json.malformed" "The body is not valid JSON"
        ["Correct the JSON at the line and column given."];
    RequestInvalid UNPROCESSABLE_ENTITY "request.invalid" "The request does not fit"
        ["Correct the fields under violations."];
    QueryInvalid UNPROCESSABLE_ENTITY "query.invalid" "The query does not fit"
        ["Correct the parameters under violations."];
    PathInvalid UNPROCESSABLE_ENTITY "path.invalid" "The path does not fit"
        ["Correct the parts of the path under violations."];
    HeaderInvalid BAD_REQUEST "header.invalid" "A header does not fit"
        ["Correct or leave out the header."];
    BodyTooLarge PAYLOAD_TOO_LARGE "body.too_large" "The body is too large"
        ["Send less, or send a reference to the data."];
    LengthRequired LENGTH_REQUIRED "body.length_required" "The body does not say how long it is"
        ["Send the header Content-Length."];
    BodyInterrupted BAD_REQUEST "body.interrupted" "The body ended before it was complete"
        ["Send the request again."];
    MediaTypeUnsupported UNSUPPORTED_MEDIA_TYPE "body.media_type" "The body must be JSON"
        ["Send Content-Type: application/json."];
    ApiKeyRequired UNAUTHORIZED "auth.key_required" "API key required"
        ["Send the key in the header X-API-Key."];
    ApiKeyInvalid UNAUTHORIZED "auth.key_invalid" "API key required"
        ["Check the key in the header X-API-Key, or leave the header out."];
    WorkerRequired UNAUTHORIZED "auth.worker_required" "Worker authentication required"
        ["Send Authorization: Bearer <secret> and X-Worker-ID."];
    WorkerInvalid UNAUTHORIZED "auth.worker_invalid" "Worker authentication required"
        ["Check Authorization and X-Worker-ID, or leave both out."];
    ScopeMissing FORBIDDEN "auth.scope_missing" "The credential does not allow this"
        ["Use a credential with the scope that is named."];
    OperatorRequired FORBIDDEN "auth.operator_required" "The operator is needed"
        ["Use a worker's credentials, or a key of the account default with the scope admin."];
    TokenRequired UNAUTHORIZED "auth.token_required" "Sign-in required"
        ["POST /auth/login, and send the access token as Authorization: Bearer <token>."];
    TokenInvalid UNAUTHORIZED "auth.token_invalid" "The access token is not valid"
        ["Sign in again.", "Leave out Authorization where no sign-in is needed."];
    TokenExpired UNAUTHORIZED "auth.token_expired" "The access token has expired"
        ["POST /auth/refresh with the refresh token."];
    SignInRefused UNAUTHORIZED "auth.sign_in_refused" "The name or the password is wrong"
        ["Check both.", "Ask an administrator for a new password."];
    SignInLocked TOO_MANY_REQUESTS "auth.locked_out" "Too many attempts to sign in"
        ["Try again after the seconds in Retry-After.", "Ask an administrator to unlock the user."];
    RefreshInvalid UNAUTHORIZED "auth.refresh_invalid" "The refresh token is not valid"
        ["Sign in again."];
    RefreshReused UNAUTHORIZED "auth.refresh_reused" "The refresh token was used before"
        ["Sign in again: all tokens of this sign-in have ended.",
         "Keep a refresh token in one place, and replace it by the one of each reply."];
    AccountsDiffer FORBIDDEN "auth.accounts_differ" "The credentials are of two accounts"
        ["Send the key or the token, or those of one account."];
    BootstrapDone CONFLICT "auth.bootstrap_done" "There is a user already"
        ["Sign in, or let an administrator make users at POST /admin/users."];
    LastAdministrator CONFLICT "user.last_administrator" "It is the last administrator"
        ["Make another user of the account default an active administrator first."];
    AuthNotConfigured SERVICE_UNAVAILABLE "auth.not_configured" "This audience is not configured"
        ["An operator must set the secret that is named."];
    ConfigInvalid SERVICE_UNAVAILABLE "config.invalid" "The configuration is not valid"
        ["An operator must correct the variables that are named."];
    TopicMissing BAD_REQUEST "topic.missing" "Missing required field: topic"
        ["Add the field topic with 1 to 500 characters."];
    TemplateNotFound NOT_FOUND "template.not_found" "Pipeline template not found"
        ["GET /templates lists the templates."];
    TemplateInvalid CONFLICT "template.invalid" "The template cannot be executed"
        ["An operator must correct the template's rows under violations."];
    PipelineNotFound NOT_FOUND "pipeline.not_found" "Pipeline not found"
        ["Check the id; executions of other accounts are not shown."];
    ToolNotCallable CONFLICT "tool.not_callable" "The tool cannot be called"
        ["Correct what is listed under violations, and call it again."];
    ResourceNotFound NOT_FOUND "resource.not_found" "Not found"
        ["Check the name or id; what belongs to other accounts is not shown."];
    InsightsDisabled NOT_FOUND "insights.disabled" "Insights are switched off"
        ["An operator can switch them on with ENABLE_INSIGHTS."];
    ResourceExists CONFLICT "resource.exists" "It exists already"
        ["Choose another name, or change the one that exists."];
    ResourceInUse CONFLICT "resource.in_use" "It is in use"
        ["Change what uses it first; detail names that."];
    ResourceChanged PRECONDITION_FAILED "resource.changed" "It was changed meanwhile"
        ["Read it anew, and send the ETag of that reply in If-Match."];
    TaskVersion CONFLICT "task.version_conflict" "The task was changed meanwhile"
        ["Look at current, and send the change again with its version."];
    TaskClosed CONFLICT "task.closed" "The task is closed"
        ["GET the task to see what it came to."];
    TaskClaimed CONFLICT "task.claimed" "Somebody else has claimed the task"
        ["Ask whoever has it to release it, or choose another task."];
    TaskOfExecution CONFLICT "task.of_execution" "An execution opened the task"
        ["Complete it, or cancel the execution that waits for it."];
    TaskNotCandidate FORBIDDEN "task.not_candidate" "The task is for others"
        ["Ask one of its candidates, or an administrator to name you."];
    TaskSelfApproval FORBIDDEN "task.self_approval" "Nobody approves what they began"
        ["Ask somebody else to complete the task."];
    ApprovalByTask CONFLICT "approval.by_task" "The approval is given by its task"
        ["GET /pipeline/{id}/why names the task: complete it."];
    JobTransition CONFLICT "job.transition" "The job cannot take this status"
        ["Ask for one of the statuses that detail names."];
    AlertResolved CONFLICT "alert.resolved" "The alert is resolved"
        ["GET /admin/alerts?status=unresolved lists what is wrong now."];
    KeyOver CONFLICT "api_key.over" "The key is over"
        ["Issue a new key, or go on with the successor that detail names."];
    AccountSuspended FORBIDDEN "account.suspended" "The account is suspended"
        ["Ask the operator why, and to activate it."];
    RangeUnsatisfiable RANGE_NOT_SATISFIABLE "range.unsatisfiable" "The content has no such range"
        ["Ask for bytes before the length that Content-Range names, or for all."];
    LinkInvalid FORBIDDEN "link.invalid" "The link does not work"
        ["Ask whoever gave it for a new one, or send a credential."];
    BudgetTooSmall PAYMENT_REQUIRED "budget.too_small" "The budget is too small"
        ["Raise budget_limit, or choose another strategy or template."];
    AccountBudgetExhausted PAYMENT_REQUIRED "account.budget_exhausted"
        "The account's budget is exhausted"
        ["Wait until it renews, ask for less with budget_limit, or raise the account's budget."];
    KeyBudgetExhausted PAYMENT_REQUIRED "key.budget_exhausted" "The key's budget is exhausted"
        ["Wait until it renews, ask for less with budget_limit, or raise the key's budget."];
    AdmissionRefused TOO_MANY_REQUESTS "admission.refused" "Too many executions in progress"
        ["Try again after the seconds in Retry-After."];
    RateLimited TOO_MANY_REQUESTS "rate.limited" "Too many requests"
        ["Try again after the seconds in Retry-After.", "Ask for a key with a higher rate."];
    IdempotencyMismatch CONFLICT "idempotency.mismatch"
        "The idempotency key was used with another request"
        ["Send the first request unchanged, or use a new key."];
    ExecutionFailed BAD_GATEWAY "execution.failed" "The execution failed"
        ["GET the pipeline_url to see which step failed, then start anew."];
    ExecutionCancelled CONFLICT "execution.cancelled" "The execution was cancelled"
        ["Start anew if it was cancelled by mistake."];
    ExecutionEnded CONFLICT "execution.ended" "The execution has ended"
        ["GET the pipeline_url to see how; retry, rerun or restart it where that helps."];
    ExecutionUnfinished CONFLICT "execution.unfinished" "The execution has not ended"
        ["Wait for its end, or cancel it first."];
    ExecutionRetired CONFLICT "execution.retired" "The journal of the execution is retired"
        ["Start anew; what it came to stands in the pipeline_url."];
    ExecutionRefused CONFLICT "execution.refused" "The execution does not allow this now"
        ["GET the pipeline_url to see where it stands."];
    ExecutionEnding CONFLICT "execution.ending" "The execution is undoing what it did"
        ["Wait for its end, or kill it."];
    ExecutionInProgress CONFLICT "execution.in_progress" "The execution is in progress"
        ["Pause it first, or wait for its end."];
    ExecutionParkedOnFailure CONFLICT "execution.parked_on_failure"
        "The execution is held by a failure"
        ["Retry or rerun the step that failed, or cancel the execution."];
    ExecutionNothingFailed CONFLICT "execution.nothing_failed" "No step failed"
        ["Rerun a step, or restart the execution."];
    BudgetExhausted CONFLICT "budget.exhausted" "The budget is exhausted"
        ["Resume with a higher budget_limit."];
    BudgetNotRaised CONFLICT "budget.not_raised" "The budget can only be raised"
        ["Resume with a budget_limit above the one that detail names, or without one."];
    ExecutionOfParent CONFLICT "execution.of_parent" "The execution is a step of another"
        ["Rerun the step of the execution that began it."];
    BudgetOfParent CONFLICT "budget.of_parent" "The budget is a share of another execution's"
        ["Resume without budget_limit, or raise the parent's and rerun its step."];
    SignalUnknown NOT_FOUND "signal.unknown" "No step waits for a signal of this name"
        ["Use the name that the template's step of the kind wait has."];
    SignalNotAwaited CONFLICT "signal.not_awaited" "The signal is no longer awaited"
        ["GET the pipeline_url to see what the step that waited for it came to."];
    StepTakesNoInput CONFLICT "step.takes_no_input" "The step takes no input"
        ["Rerun it without input."];
    StepNotReached CONFLICT "step.not_reached" "The step waits for another one"
        ["Rerun the step that it waits for."];
    StepInFlight CONFLICT "step.in_flight" "An attempt of the step is in flight"
        ["Try again when the attempt is over."];
    StepCompensated CONFLICT "step.compensated" "The step was undone as a whole"
        ["Rerun the whole step instead of one element of it."];
    StepUnknown NOT_FOUND "step.unknown" "The execution has no such step"
        ["Use a step's name as the pipeline_url shows it, or name[index] for a map's element."];
    FenceStale CONFLICT "fence.stale" "Nobody waits for this attempt any more"
        ["Stop working at it: its result counts no more."];
    InboxFull TOO_MANY_REQUESTS "inbox.full" "Too much has come in for this execution"
        ["Try again after the seconds in Retry-After."];
    EventIdInvalid BAD_REQUEST "event_id.invalid" "No event of this execution has this id"
        ["Send the id of an event that was received, or none."];
    UpgradeRequired UPGRADE_REQUIRED "live.upgrade_required"
        "The request must upgrade to a WebSocket"
        ["Open it with a WebSocket client, such as new WebSocket(url) in a browser."];
    OriginRefused FORBIDDEN "live.origin_refused" "Pages of this origin may not connect"
        ["An operator can add the origin to ALLOWED_ORIGINS."];
    TicketInvalid UNAUTHORIZED "live.ticket_invalid" "The ticket does not work"
        ["Get a new one by POST /api/v1/ws/ticket; each opens one connection, within 30 seconds."];
    LiveFull TOO_MANY_REQUESTS "live.full" "The account has too many connections"
        ["Close connections that are not needed, or try again after the seconds in Retry-After."];
    LiveUnavailable SERVICE_UNAVAILABLE "live.unavailable" "Live updates are not available"
        ["Try again after a pause."];
    DatabaseUnavailable SERVICE_UNAVAILABLE "database.unavailable" "The database did not answer"
        ["Try again after a pause."];
    DatabaseOutdated SERVICE_UNAVAILABLE "database.outdated" "The database is not migrated"
        ["An operator must apply the migrations."];
    PolicyMissing SERVICE_UNAVAILABLE "database.policy_missing" "The database lacks policy rows"
        ["An operator must restore the seed rows of schema.sql."];
    JournalUnavailable SERVICE_UNAVAILABLE "journal.unavailable" "The journal did not answer"
        ["Try again after a pause, with the same Idempotency-Key."];
    StorageUnavailable SERVICE_UNAVAILABLE "storage.unavailable" "The storage did not answer"
        ["Try again after a pause."];
    BindingMissing SERVICE_UNAVAILABLE "config.binding_missing" "The deployment is incomplete"
        ["An operator must add the binding that the log names."];
    Internal INTERNAL_SERVER_ERROR "internal" "Internal error"
        ["Try again; if it persists, report the request_id."];
}
