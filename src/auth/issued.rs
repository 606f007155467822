//! Keys that were issued: their form, and what the database knows of them. A key that was found
//! stays known to this isolate for a minute, so that a burst of requests asks the database once; a
//! revoked one is refused after that at the latest.

use std::cell::RefCell;
use std::collections::HashMap;

use engine::admission::KeyFunds;
use engine::time::{Millis, Timestamp};
use serde_json::json;

use super::Scopes;
use crate::clock::now;
use crate::db::{D1, api_keys};
use crate::error::ApiError;
use crate::log::{self, Level};
use crate::request::RequestContext;

/// What every issued key begins with, so that only a likely key is looked up.
pub const PREFIX: &str = "bwk_";
/// The characters after it: 256 random bits in base64url.
const SECRET_CHARS: usize = 43;
const KNOWN_FOR: Millis = Millis::from_secs(60);
const KNOWN_MAX: usize = 1024;

/// A key that was issued to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedKey {
    /// The id of its row.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// What it allows.
    pub scopes: Scopes,
    /// When it ends to be valid.
    pub expires_at: Option<Timestamp>,
    /// How many requests a minute it may make; `None` for the installation's rate.
    pub rate_per_minute: Option<u32>,
    /// What its executions may spend, and as whose budget.
    pub budget: KeyFunds,
}

thread_local! {
    static KNOWN: RefCell<HashMap<[u8; 32], (IssuedKey, Timestamp)>> = RefCell::default();
}

/// Whether the bytes can be an issued key.
pub(super) fn has_form(key: &[u8]) -> bool {
    let secret = key.strip_prefix(PREFIX.as_bytes());
    let base64url = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    secret.is_some_and(|rest| rest.len() == SECRET_CHARS && rest.iter().all(base64url))
}

/// The key with this SHA-256 digest.
pub(super) async fn find(
    context: &RequestContext,
    digest: [u8; 32],
) -> Result<IssuedKey, ApiError> {
    let now = now();
    if let Some(key) = known(&digest, now) {
        return valid(key, now);
    }
    let db = context.database()?;
    let row = api_keys::find(&db, &digest).await?;
    let row = row.filter(|row| row.is_valid_at(now)).ok_or(ApiError::ApiKeyInvalid)?;
    if !row.is_of_active_account() {
        return Err(ApiError::AccountSuspended);
    }
    note_use(context, db, row.id.clone());
    let key = IssuedKey {
        budget: row.budget().funds(row.budget_id.clone()),
        scopes: Scopes::parse(row.scopes.iter().map(String::as_str)),
        expires_at: row.ends_at(),
        rate_per_minute: row.rate_per_minute,
        id: row.id,
        account: row.account_id,
    };
    remember(digest, key.clone(), now);
    Ok(key)
}

/// When a key was last used is for people to see: it must not hold up or refuse a request.
fn note_use(context: &RequestContext, db: D1, id: String) {
    let request = context.id().to_owned();
    let noting = async move {
        if let Err(error) = api_keys::note_use(&db, &id, now()).await {
            let error = error.to_string();
            let event = "api_key.use_not_noted";
            let fields = json!({ "event": event, "request.id": request, "error": error });
            log::write(Level::Warn, fields);
        }
    };
    if let Ok(invocation) = context.invocation() {
        invocation.wait_until(noting);
    }
}

fn valid(key: IssuedKey, now: Timestamp) -> Result<IssuedKey, ApiError> {
    let over = key.expires_at.is_some_and(|end| end <= now);
    if over { Err(ApiError::ApiKeyInvalid) } else { Ok(key) }
}

fn known(digest: &[u8; 32], now: Timestamp) -> Option<IssuedKey> {
    KNOWN.with_borrow(|known| {
        let (key, until) = known.get(digest)?;
        (*until > now).then(|| key.clone())
    })
}

fn remember(digest: [u8; 32], key: IssuedKey, now: Timestamp) {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_MAX {
            known.retain(|_, (_, until)| *until > now);
        }
        if known.len() < KNOWN_MAX {
            known.insert(digest, (key, now.plus(KNOWN_FOR)));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(expires_at: Option<Timestamp>) -> IssuedKey {
        IssuedKey {
            id: "k".into(),
            account: "acme".into(),
            scopes: Scopes::parse(["read"]),
            expires_at,
            rate_per_minute: None,
            budget: KeyFunds::default(),
        }
    }

    #[test]
    fn only_the_form_of_an_issued_key_is_looked_up() {
        assert!(has_form(format!("bwk_{}", "aZ0-_".repeat(9)[..43].to_owned()).as_bytes()));
        for bad in ["", "bwk_", "bwk_short", &format!("bwk_{}", "a".repeat(44))] {
            assert!(!has_form(bad.as_bytes()), "{bad}");
        }
        assert!(!has_form(format!("bwk_{}", "a'; --".repeat(8)[..43].to_owned()).as_bytes()));
    }

    #[test]
    fn a_found_key_is_known_for_a_minute() {
        let at = Timestamp::from_millis(1_000);
        remember([1; 32], key(None), at);
        assert_eq!(known(&[1; 32], at.plus(Millis::new(59_999))), Some(key(None)));
        assert_eq!(known(&[1; 32], at.plus(KNOWN_FOR)), None);
        assert_eq!(known(&[2; 32], at), None);
    }

    #[test]
    fn an_expired_key_is_refused_even_while_it_is_known() {
        let end = Timestamp::from_millis(5_000);
        assert!(valid(key(Some(end)), Timestamp::from_millis(4_999)).is_ok());
        assert!(valid(key(Some(end)), end).is_err());
    }
}
