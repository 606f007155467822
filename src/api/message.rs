//! The one way for everything that is said to an execution: find it, ask whether it applies, store
//! it, wait a little until it is met, and say how the execution stands. It must not decide what a
//! message means: the engine does.

use api_types::{VerbReply, VerbStatus};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::execution::{Applies, Asked, Message, Refusal, State};
use engine::ids::{ExecutionId, InboxSeq};
use engine::plan::Violation;
use engine::time::{Millis, Timestamp};
use serde_json::Value;

use super::pipeline::word;
use super::preference::{PREFERENCE_APPLIED, Preference, idempotency_key};
use super::stored;
use crate::auth::Caller;
use crate::clock::now;
use crate::db::projection::Projected;
use crate::driver::{self, Post, Posted, ReadError, Site};
use crate::error::{ApiError, ErrorCode};
use crate::nesting::{self, LEVELS_MAX};
use crate::request::RequestContext;
use crate::templates::sha256_hex;

/// How long an answer waits for the message to be met, where the client does not say.
pub const WAIT_DEFAULT: Millis = Millis::new(1500);
/// The longest that a client may make it wait.
pub const WAIT_MAX: Millis = Millis::from_secs(10);

/// Something to say to an execution.
pub struct Telling<'a> {
    /// The verb, as replies and keys name it.
    pub verb: &'a str,
    /// What is said.
    pub message: Message,
    /// Makes a repetition find the first one.
    pub key: Option<String>,
    /// Whether it opens an execution that has ended.
    pub reopens: bool,
    /// How long the answer may wait.
    pub preference: Preference,
}

impl<'a> Telling<'a> {
    /// What the headers of a request say beside the message.
    pub fn read(verb: &'a str, message: Message, headers: &HeaderMap) -> Result<Self, ApiError> {
        let key = idempotency_key(headers)?;
        // One key may serve a client for several verbs.
        let key = key.map(|key| sha256_hex(format!("{verb}\n{key}").as_bytes()));
        let preference = Preference::read(headers).capped(WAIT_MAX);
        Ok(Self { verb, message, key, reopens: false, preference })
    }
}

/// Who asks, and why.
pub fn asked(caller: &Caller, reason: Option<String>) -> Asked {
    let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Asked { by: caller.name(), reason }
}

/// The execution as its journal has it. With an account, those of others are not found.
pub async fn find(
    context: &RequestContext,
    account: Option<&str>,
    id: &ExecutionId,
    payloads: bool,
) -> Result<State, ApiError> {
    own_shard(context, id)?;
    context.note(|notes| notes.execution = Some(id.clone()));
    match driver::find(&context.site(), id, payloads).await? {
        Some(state) if account.is_none_or(|own| own == state.started.account) => Ok(state),
        Some(_) => Err(ApiError::PipelineNotFound),
        None => Err(without_journal(context, account, id).await?),
    }
}

/// An id of a shard that this deployment does not have is none of its executions.
pub fn own_shard(context: &RequestContext, id: &ExecutionId) -> Result<(), ApiError> {
    match id.shard().0 < context.config().journal_shards {
        true => Ok(()),
        false => Err(ApiError::PipelineNotFound),
    }
}

/// Why an execution has no journal: it is retired, or never was.
pub async fn without_journal(
    context: &RequestContext,
    account: Option<&str>,
    id: &ExecutionId,
) -> Result<ApiError, ApiError> {
    let rows = stored::find(context, id).await?;
    let own = |rows: &Projected| account.is_none_or(|own| own == rows.execution.account_id);
    Ok(match rows.filter(own) {
        Some(_) => retired(id),
        None => ApiError::PipelineNotFound,
    })
}

/// The journal is gone; the projection is not.
pub fn retired(id: &ExecutionId) -> ApiError {
    let message = "the execution ended too long ago: its journal is kept no more".to_owned();
    ApiError::Refused { id: id.clone(), code: ErrorCode::ExecutionRetired, message }
}

/// What came of saying it.
pub struct Delivered {
    /// Whether it has taken effect.
    pub status: VerbStatus,
    /// How the execution stands since, where that was read anew.
    pub state: Option<State>,
    /// Its place in the inbox.
    pub entry: Option<InboxSeq>,
}

/// Says it, and answers.
pub async fn tell(
    context: &RequestContext,
    state: &State,
    telling: Telling<'_>,
) -> Result<Response, ApiError> {
    let Delivered { status, state: since, entry } = deliver(context, state, &telling).await?;
    reply(since.as_ref().unwrap_or(state), &telling, status, entry)
}

/// Says it, and waits a little until it is met.
pub async fn deliver(
    context: &RequestContext,
    state: &State,
    telling: &Telling<'_>,
) -> Result<Delivered, ApiError> {
    let id = &state.started.id;
    let site = context.site();
    let until = now().plus(telling.preference.window(WAIT_DEFAULT));
    let unchanged = |entry| Delivered { status: VerbStatus::Unchanged, state: None, entry };
    match state.applies(&telling.message) {
        Applies::Yes => {}
        Applies::Already => return Ok(unchanged(None)),
        // What was said before with this key, and has taken effect since, is no error.
        Applies::Refused(refusal) => {
            let Some(key) = &telling.key else { return Err(ApiError::refused(id, refusal)) };
            let before = driver::posted(&site, id, key).await?;
            let Some(entry) = before else { return Err(ApiError::refused(id, refusal)) };
            return Ok(unchanged(Some(entry)));
        }
    }
    let (message, key, reopens) = (&telling.message, telling.key.clone(), telling.reopens);
    let entry = match driver::post(&site, Post { id, message, key, reopens }).await? {
        Posted::Stored(entry) => Some(entry),
        posted => return Err(not_stored(id, posted)),
    };
    Ok(match standing_once_met(&site, id, until).await {
        Ok(Some(state)) => Delivered { status: VerbStatus::Done, state: Some(state), entry },
        // It is stored, whatever the journal says after that.
        Ok(None) | Err(_) => Delivered { status: VerbStatus::Accepted, state: None, entry },
    })
}

async fn standing_once_met(
    site: &Site,
    id: &ExecutionId,
    until: Timestamp,
) -> Result<Option<State>, ReadError> {
    match driver::wait_until_met(site, id, until).await? {
        true => driver::find(site, id, false).await,
        false => Ok(None),
    }
}

/// The answer to something that was said before and has taken effect.
pub fn unchanged(state: &State, telling: &Telling<'_>) -> Result<Response, ApiError> {
    reply(state, telling, VerbStatus::Unchanged, None)
}

/// Why a message was not stored.
pub fn not_stored(id: &ExecutionId, posted: Posted) -> ApiError {
    match posted {
        Posted::Stored(_) | Posted::Unknown => ApiError::PipelineNotFound,
        Posted::Ended => {
            let message = "the execution has ended meanwhile".to_owned();
            ApiError::refused(id, Refusal { code: "execution.ended", message })
        }
        Posted::Full { max } => ApiError::InboxFull { id: id.clone(), max },
        Posted::TooLarge { bytes_max } => {
            ApiError::BodyTooLarge { bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX) }
        }
    }
}

fn reply(
    state: &State,
    telling: &Telling<'_>,
    status: VerbStatus,
    entry: Option<InboxSeq>,
) -> Result<Response, ApiError> {
    let id = &state.started.id;
    let body = VerbReply {
        status,
        pipeline_id: id.to_string(),
        verb: telling.verb.to_owned(),
        execution_status: word(state.status.as_str().to_owned())?,
        pipeline_url: format!("/pipeline/{id}"),
        entry: entry.map(|entry| entry.0),
    };
    let code = match status {
        VerbStatus::Accepted => StatusCode::ACCEPTED,
        VerbStatus::Done | VerbStatus::Unchanged => StatusCode::OK,
    };
    let mut response = (code, Json(body)).into_response();
    let applied = telling.preference.applied().and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(applied) = applied {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// Refuses a value that is nested too deeply to travel in a message.
pub fn check_nesting(value: &Value, pointer: &str) -> Result<(), ApiError> {
    if nesting::fits(value) {
        return Ok(());
    }
    let message = format!("is nested more than {LEVELS_MAX} levels deep");
    Err(violation(pointer, "nesting", message))
}

/// One thing that does not fit.
pub fn violation(pointer: &str, code: &str, message: impl Into<String>) -> ApiError {
    ApiError::RequestInvalid(vec![Violation {
        pointer: pointer.to_owned(),
        code: code.to_owned(),
        message: message.into(),
    }])
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;
    use crate::cache::tests::begun;

    fn telling(pairs: &[(&'static str, &str)]) -> Result<Telling<'static>, ApiError> {
        let headers = pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
        let message = Message::Cancel { asked: Asked::default() };
        Telling::read("cancel", message, &headers.collect())
    }

    fn state() -> State {
        let step = json!({ "name": "a", "order": 1, "kind": "transform", "input_mapping": {} });
        begun(json!({ "name": "t", "steps": [step] }), json!({}))
    }

    #[test]
    fn a_key_counts_for_its_verb_alone() {
        let cancel = telling(&[("idempotency-key", "k")]).unwrap().key;
        let message = Message::Kill { asked: Asked::default() };
        let headers = HeaderMap::from_iter([(
            "idempotency-key".parse().unwrap(),
            HeaderValue::from_static("k"),
        )]);
        let kill = Telling::read("kill", message, &headers).unwrap().key;
        assert!(cancel.is_some() && cancel != kill);
        assert!(telling(&[]).unwrap().key.is_none());
        let refused = telling(&[("idempotency-key", "a b")]).err().unwrap();
        assert_eq!(refused.code().as_str(), "header.invalid");
    }

    #[test]
    fn nobody_waits_longer_than_ten_seconds() {
        let asked = telling(&[("prefer", "wait=60")]).unwrap().preference;
        assert_eq!(asked.window(WAIT_DEFAULT), WAIT_MAX);
        assert_eq!(asked.applied().as_deref(), Some("wait=10"));
        assert_eq!(telling(&[]).unwrap().preference.window(WAIT_DEFAULT), WAIT_DEFAULT);
        let at_once = telling(&[("prefer", "respond-async")]).unwrap().preference;
        assert_eq!(at_once.window(WAIT_DEFAULT), Millis::ZERO);
    }

    #[tokio::test]
    async fn the_reply_says_what_came_of_it_and_how_the_execution_stands() {
        let telling = telling(&[("prefer", "wait=0")]).unwrap();
        for (status, entry, code) in [
            (VerbStatus::Accepted, Some(InboxSeq(3)), 202),
            (VerbStatus::Done, Some(InboxSeq(3)), 200),
            (VerbStatus::Unchanged, None, 200),
        ] {
            let response = reply(&state(), &telling, status, entry).unwrap();
            assert_eq!(response.status().as_u16(), code);
            assert_eq!(response.headers()[PREFERENCE_APPLIED], "wait=0");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["status"], json!(status));
            assert_eq!(body.get("entry"), entry.map(|_| json!(3)).as_ref());
            assert_eq!(
                (&body["verb"], &body["execution_status"]),
                (&json!("cancel"), &json!("completed"))
            );
        }
    }

    #[test]
    fn what_is_not_stored_is_told() {
        let id = state().started.id.clone();
        for (posted, code) in [
            (Posted::Unknown, "pipeline.not_found"),
            (Posted::Ended, "execution.ended"),
            (Posted::Full { max: 3 }, "inbox.full"),
            (Posted::TooLarge { bytes_max: 3 }, "body.too_large"),
        ] {
            assert_eq!(not_stored(&id, posted).code().as_str(), code);
        }
    }

    #[test]
    fn a_value_that_the_journal_could_not_read_back_is_refused() {
        let deep = |levels: usize| (0..levels).fold(Value::Null, |inner, _| json!([inner]));
        assert!(check_nesting(&deep(LEVELS_MAX), "").is_ok());
        let error = check_nesting(&deep(LEVELS_MAX + 1), "/input").unwrap_err();
        assert_eq!(error.code().as_str(), "request.invalid");
        let kept = Message::Rerun {
            asked: Asked::default(),
            step: "a".to_owned(),
            input: Some(deep(LEVELS_MAX)),
        };
        let text = serde_json::to_string(&json!([{ "entry": [kept] }])).unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}
