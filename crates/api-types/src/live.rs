//! What goes over `/ws`: protocol `bitware.v1`. Each message is one JSON object in a text frame,
//! and `type` says which. docs/live.md tells what follows on what.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Violation;

/// Defines the words of `type`: one for each message.
macro_rules! kinds {
    ($($name:ident $word:ident),+ $(,)?) => {
        $(
            #[doc = concat!("The `type` of a message `", stringify!($word), "`, in small letters.")]
            #[derive(
                Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema,
            )]
            #[serde(rename_all = "snake_case")]
            pub enum $name {
                /// The only one.
                #[default]
                $word,
            }

            impl $name {
                /// The only one.
                pub const IS: Self = Self::$word;
            }
        )+
    };
}

kinds! {
    LiveAuthenticateType Authenticate,
    LiveSubscribeType Subscribe,
    LiveUnsubscribeType Unsubscribe,
    LiveAckType Ack,
    LivePingType Ping,
    LiveWelcomeType Welcome,
    LiveSubscribedType Subscribed,
    LiveUnsubscribedType Unsubscribed,
    LiveEventType Event,
    LivePongType Pong,
    LiveHeartbeatType Heartbeat,
    LiveLaggingType Lagging,
    LiveClosingType Closing,
    LiveErrorType Error,
}

/// How a connection is opened where no header can be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// A ticket of `POST /api/v1/ws/ticket`.
    #[param(nullable = false, min_length = 1, max_length = 256)]
    pub ticket: Option<String>,
    /// The account that the first message will authenticate for; left out, `default`.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
}

/// A ticket: it opens one connection, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveTicket {
    /// What `/ws?ticket=…` takes.
    #[schema(example = "d.3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    pub ticket: String,
    /// How many seconds it is good for.
    #[schema(example = 30)]
    pub expires_in: u32,
    /// Where to go with it.
    #[schema(example = "/ws?ticket=d.3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    pub url: String,
}

/// A credential, as the first message of a connection that showed none, or later to go on longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveAuthenticate {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveAuthenticateType,
    /// A client's key, a person's access token, or with `worker_id` the workers' secret.
    #[schema(min_length = 1, max_length = 4096)]
    pub token: String,
    /// The name of a worker, as in `X-Worker-ID`.
    #[schema(min_length = 1, max_length = 64)]
    pub worker_id: Option<String>,
}

/// Which of a topic's events are wanted; what is left out filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveFilter {
    /// Of `events`: only those of this topic.
    #[schema(min_length = 1, max_length = 64)]
    pub topic: Option<String>,
    /// Only of this type; `job.*` is every type that begins with `job.`.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 200)]
    pub event_type: Option<String>,
    /// Only about this: the id of an execution, a job, a task.
    #[schema(min_length = 1, max_length = 200)]
    pub subject: Option<String>,
    /// Of `agent_logs`: only of this agent.
    #[schema(min_length = 1, max_length = 64)]
    pub agent_id: Option<String>,
    /// Of `agent_logs`: only of this conversation.
    #[schema(min_length = 1, max_length = 200)]
    pub session_id: Option<String>,
    /// Of `agent_logs`: only of this task.
    #[schema(min_length = 1, max_length = 200)]
    pub task_slug: Option<String>,
    /// Of `agent_logs`: only of this piece of developer work (ADW).
    #[schema(min_length = 1, max_length = 200)]
    pub adw_id: Option<String>,
    /// Of `agent_logs`: only of this step of it.
    #[schema(min_length = 1, max_length = 200)]
    pub adw_step: Option<String>,
    /// Of `agent_logs`: only from there, `hook` or `response`.
    #[schema(min_length = 1, max_length = 64)]
    pub event_category: Option<String>,
}

/// Asks for the events of a topic from a place on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "subscribe", "id": "mine", "topic": "jobs", "filter": { "type": "job.*" },
    "cursor": "184"
}))]
pub struct LiveSubscribe {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveSubscribeType,
    /// What the client calls the subscription.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub id: String,
    /// `executions`, `jobs`, `tasks`, `events`, `agent_logs`, or `execution:` and an id.
    #[schema(min_length = 1, max_length = 128)]
    pub topic: String,
    /// Which events are wanted.
    pub filter: Option<LiveFilter>,
    /// The last event that was received: what came after it follows. Left out, an execution is
    /// told from its beginning, anything else from now on.
    #[schema(pattern = "^[0-9]{1,16}(\\.[0-9]{1,16})?$")]
    pub cursor: Option<String>,
}

/// Ends a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveUnsubscribe {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveUnsubscribeType,
    /// Which.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub id: String,
}

/// Says that everything of a subscription up to a cursor has been dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveAck {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveAckType,
    /// The subscription.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub id: String,
    /// The cursor of the last event that was dealt with.
    #[schema(pattern = "^[0-9]{1,16}(\\.[0-9]{1,16})?$")]
    pub cursor: String,
}

/// Asks for a sign of life. Without an `id`, and written exactly so, it is answered without waking
/// anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LivePing {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LivePingType,
    /// What the answer repeats.
    #[schema(min_length = 1, max_length = 64)]
    pub id: Option<String>,
}

/// Everything that a client can say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs)]
#[expect(clippy::large_enum_variant, reason = "it describes what is said, and is never kept")]
pub enum LiveClientMessage {
    Authenticate(LiveAuthenticate),
    Subscribe(LiveSubscribe),
    Unsubscribe(LiveUnsubscribe),
    Ack(LiveAck),
    Ping(LivePing),
}

/// How much may be sent that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveWindow {
    /// Events.
    pub messages: u32,
    /// Bytes of events.
    pub bytes: u32,
}

/// The connection is open and its credential good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveWelcome {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveWelcomeType,
    /// The protocol: `bitware.v1`.
    pub protocol: String,
    /// The connection, as the log names it.
    pub connection: String,
    /// The account whose events it gets.
    pub account: String,
    /// Who authenticated.
    pub caller: String,
    /// When it ends unless it authenticates again.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// What must be acknowledged in time.
    pub window: LiveWindow,
    /// The most subscriptions.
    pub subscriptions_max: u32,
    /// The longest message from the client.
    pub message_bytes_max: u32,
    /// How often a subscribed connection hears a heartbeat, in seconds.
    pub heartbeat_s: u32,
}

/// A subscription has begun: its events follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveSubscribed {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveSubscribedType,
    /// Which.
    pub id: String,
    /// The place after which events follow.
    pub cursor: String,
}

/// A subscription is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveUnsubscribed {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveUnsubscribedType,
    /// Which.
    pub id: String,
    /// `asked`, `ended` (the execution has), or `gone` (its journal is kept no more).
    pub reason: String,
    /// The last event that was sent.
    pub cursor: String,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveEvent {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveEventType,
    /// The subscription.
    pub subscription: String,
    /// Where to go on after this event.
    pub cursor: String,
    /// What happened: a row of `GET /api/v1/events`, an event of a journal, or an entry of a log.
    pub event: Value,
}

/// The answer to a ping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LivePong {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LivePongType,
    /// The ping's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Where a subscription stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LivePlace {
    /// The subscription.
    pub id: String,
    /// Everything of interest up to here was sent: go on from here.
    pub cursor: String,
}

/// The connection lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveHeartbeat {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveHeartbeatType,
    /// Where the subscriptions stand, whether or not anything passed their filters.
    pub subscriptions: Vec<LivePlace>,
}

/// The window is full: nothing more is sent until the client acknowledges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveLagging {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveLaggingType,
    /// What is not acknowledged.
    pub unacknowledged: LiveWindow,
    /// After how many seconds without an acknowledgement the connection is closed.
    pub closes_in_s: u32,
    /// Where the subscriptions stand.
    pub subscriptions: Vec<LivePlace>,
}

/// The server closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveClosing {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveClosingType,
    /// The code of the close frame that follows.
    pub code: u16,
    /// Why.
    pub reason: String,
    /// Where the subscriptions stand: subscribe with these cursors to miss nothing.
    pub subscriptions: Vec<LivePlace>,
}

/// A message was not taken, or something cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveError {
    #[allow(missing_docs)]
    #[serde(rename = "type")]
    pub kind: LiveErrorType,
    /// The subscription or ping that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The stable code.
    pub code: String,
    /// What is wrong, for a person.
    pub message: String,
    /// What in the message does not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
}

/// Everything that the server can say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum LiveServerMessage {
    Welcome(LiveWelcome),
    Subscribed(LiveSubscribed),
    Unsubscribed(LiveUnsubscribed),
    Event(LiveEvent),
    Pong(LivePong),
    Heartbeat(LiveHeartbeat),
    Lagging(LiveLagging),
    Closing(LiveClosing),
    Error(LiveError),
}
