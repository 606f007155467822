//! Why a message over `/ws` is not taken, and why a connection is closed: stable codes. Those of
//! docs/errors.md serve where they fit; docs/live.md has the others.

use api_types::live::{LiveError, LiveErrorType};

use super::limits::{
    AUTHENTICATE_WITHIN, ERRORS_MAX, MESSAGE_BYTES_MAX, MESSAGES_PER_S, SUBSCRIPTIONS_MAX,
};
use crate::error::{ApiError, ErrorCode};

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no `type` that is known.
    TypeUnknown,
    /// Nothing was authenticated yet.
    Unauthenticated,
    /// The credential is of another account than the connection.
    AccountForeign,
    /// There is no such topic.
    TopicUnknown,
    /// A filter has a field that says nothing about the topic.
    FilterMisplaced(&'static str),
    /// What administrators do is shown to administrators.
    AdministratorsOnly,
    /// The connection has a subscription of this name.
    SubscriptionExists,
    /// The connection has no subscription of this name.
    SubscriptionUnknown,
    /// The connection has as many subscriptions as it may.
    TooManySubscriptions,
    /// The cursor is none of this topic's, or lies ahead.
    CursorInvalid,
    /// What the HTTP API would have answered.
    Api(Box<LiveError>),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It was not authenticated in time.
    AuthenticationLate,
    /// The credential was not good.
    AuthenticationFailed,
    /// The credential is of another account.
    AccountForeign,
    /// It did not acknowledge in time.
    SlowConsumer,
    /// It promised pings and was silent.
    Silent,
    /// It is as old as a connection gets.
    Expired,
    /// It sent too many messages.
    TooManyMessages,
    /// It sent too much that made no sense.
    TooManyErrors,
    /// A frame was larger than is read.
    MessageTooLarge,
    /// A frame was binary.
    Binary,
}

impl Refusal {
    /// What the HTTP API would have answered.
    pub fn of(error: &ApiError) -> Self {
        let reply = error.reply("", String::new());
        Self::Api(Box::new(LiveError {
            kind: LiveErrorType::IS,
            id: None,
            code: reply.code,
            message: reply.detail,
            violations: reply.violations,
        }))
    }

    /// It as the client hears it; `id` is what it is about.
    pub fn message(&self, id: Option<&str>) -> LiveError {
        let error = |code: &str, message: String| LiveError {
            kind: LiveErrorType::IS,
            id: id.map(str::to_owned),
            code: code.to_owned(),
            message,
            violations: Vec::new(),
        };
        let said = |code, message: &str| error(code, message.to_owned());
        match self {
            Self::TypeUnknown => said(
                "live.type_unknown",
                "type is one of authenticate, subscribe, unsubscribe, ack and ping",
            ),
            Self::Unauthenticated => {
                said("live.unauthenticated", "The first message must be of type authenticate")
            }
            Self::AccountForeign => said(
                "live.account_foreign",
                "The credential is of another account: connect to /ws?account=<that account>",
            ),
            Self::TopicUnknown => said(
                "live.topic_unknown",
                "topic is executions, jobs, tasks, events, agent_logs or execution:<pipeline_id>",
            ),
            Self::FilterMisplaced(field) => error(
                "live.filter_misplaced",
                format!("/filter/{field} says nothing about this topic"),
            ),
            Self::AdministratorsOnly => {
                said(ErrorCode::ScopeMissing.as_str(), "The scope admin is needed")
            }
            Self::SubscriptionExists => {
                said("live.subscription_exists", "The connection has a subscription of this id")
            }
            Self::SubscriptionUnknown => {
                said("live.subscription_unknown", "The connection has no subscription of this id")
            }
            Self::TooManySubscriptions => error(
                "live.too_many_subscriptions",
                format!("A connection has at most {SUBSCRIPTIONS_MAX} subscriptions"),
            ),
            Self::CursorInvalid => said(
                "live.cursor_invalid",
                "The cursor must be one that was received for this topic",
            ),
            Self::Api(told) => LiveError { id: id.map(str::to_owned), ..(**told).clone() },
        }
    }
}

impl Closing {
    /// Every one.
    #[cfg(test)]
    pub const ALL: [Self; 10] = [
        Self::AuthenticationLate,
        Self::AuthenticationFailed,
        Self::AccountForeign,
        Self::SlowConsumer,
        Self::Silent,
        Self::Expired,
        Self::TooManyMessages,
        Self::TooManyErrors,
        Self::MessageTooLarge,
        Self::Binary,
    ];

    /// The code of the close frame, and the word that says the same.
    pub fn code(self) -> (u16, &'static str) {
        match self {
            Self::Binary => (1003, "binary"),
            Self::MessageTooLarge => (1009, "message_too_large"),
            Self::TooManyErrors => (4400, "too_many_errors"),
            Self::AuthenticationFailed => (4401, "authentication_failed"),
            Self::AuthenticationLate => (4402, "authentication_late"),
            Self::AccountForeign => (4403, "account_foreign"),
            Self::SlowConsumer => (4408, "slow_consumer"),
            Self::Silent => (4409, "silent"),
            Self::Expired => (4410, "expired"),
            Self::TooManyMessages => (4429, "too_many_messages"),
        }
    }

    /// What is told before the close frame, where it is more than the frame says itself.
    pub fn message(self) -> String {
        match self {
            Self::Binary => "Messages are JSON in text frames".to_owned(),
            Self::MessageTooLarge => format!("A message has at most {MESSAGE_BYTES_MAX} bytes"),
            Self::TooManyErrors => format!("{ERRORS_MAX} messages were not understood"),
            Self::AuthenticationFailed => "The credential is not good".to_owned(),
            Self::AuthenticationLate => {
                format!("Nothing authenticated within {} s", AUTHENTICATE_WITHIN.get() / 1000)
            }
            Self::AccountForeign => "The credential is of another account".to_owned(),
            Self::SlowConsumer => "What was sent was not acknowledged in time".to_owned(),
            Self::Silent => "The connection sent pings, and sends them no more".to_owned(),
            Self::Expired => "The connection is old: authenticate anew".to_owned(),
            Self::TooManyMessages => {
                format!("A client sends at most {MESSAGES_PER_S} messages a second for long")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../docs/live.md");

    #[test]
    fn every_code_stands_in_the_documentation() {
        for refusal in [
            Refusal::TypeUnknown,
            Refusal::Unauthenticated,
            Refusal::AccountForeign,
            Refusal::TopicUnknown,
            Refusal::FilterMisplaced("topic"),
            Refusal::SubscriptionExists,
            Refusal::SubscriptionUnknown,
            Refusal::TooManySubscriptions,
            Refusal::CursorInvalid,
        ] {
            let code = refusal.message(None).code;
            assert!(PAGE.contains(&format!("| `{code}` |")), "{code}");
        }
        let codes: BTreeSet<u16> = Closing::ALL.map(|closing| closing.code().0).into();
        assert_eq!(codes.len(), Closing::ALL.len(), "each has its own code");
        for closing in Closing::ALL {
            let (code, word) = closing.code();
            assert!(PAGE.contains(&format!("| {code} | `{word}` |")), "{code} {word}");
            assert!(word.len() <= 123, "a close frame has room for so much");
        }
    }

    #[test]
    fn what_the_api_would_say_is_said_with_its_code() {
        let told = Refusal::of(&ApiError::PipelineNotFound).message(Some("s"));
        assert_eq!((told.code.as_str(), told.id.as_deref()), ("pipeline.not_found", Some("s")));
        let cause = "the table of secrets".to_owned();
        let told = Refusal::of(&ApiError::Internal { cause }).message(None);
        assert!(!told.message.contains("secrets"), "{}", told.message);
    }
}
