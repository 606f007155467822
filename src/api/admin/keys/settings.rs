//! What a key may be, and who may make it so. Pure, but for the secret's randomness.

use api_types::admin::{ApiKeyEntry, ApiKeyPatch, KeyScope, KeyStatus, NewApiKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::plan::Violation;
use engine::time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::admin::accounts::{micros, usd};
use crate::api::merge_patch::merge;
use crate::api::query::{label, moment, report};
use crate::auth::{Caller, KEY_PREFIX, Reach, Scope};
use crate::clock;
use crate::db::iso;
use crate::db::keyring::Key;
use crate::error::ApiError;
use crate::extract::JsonDocument;
use crate::templates::sha256_hex;

const SCOPES_DEFAULT: [KeyScope; 2] = [KeyScope::Execute, KeyScope::Read];
const SECRET_BYTES: usize = 32;

/// A secret that was never used.
pub struct Fresh {
    /// What the client sends.
    pub secret: String,
    /// What is kept of it.
    pub hash: String,
}

/// Makes a secret.
pub fn fresh() -> Fresh {
    let mut random = [0; SECRET_BYTES];
    clock::fill(&mut random);
    let secret = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let hash = sha256_hex(secret.as_bytes());
    Fresh { secret, hash }
}

/// The key that is asked for, if the caller may issue it.
pub fn new(wanted: NewApiKey, caller: &Caller, now: Timestamp) -> Result<Key, ApiError> {
    let NewApiKey {
        name,
        account,
        scopes,
        rate_per_minute,
        daily_budget_usd,
        monthly_budget_usd,
        expires_at,
    } = wanted;
    let account_id = account.unwrap_or_else(|| caller.account().to_owned());
    if let Reach::Account(own) = caller.reach()
        && own != account_id
    {
        return Err(account_unknown());
    }
    let scopes = scopes.unwrap_or_else(|| SCOPES_DEFAULT.to_vec());
    check_grants(&scopes, &[], caller)?;
    Ok(Key {
        id: Uuid::now_v7().to_string(),
        account_id,
        name,
        scopes: Some(words(&scopes)),
        rate_per_minute,
        daily_budget_micro_usd: daily_budget_usd.and_then(micros),
        monthly_budget_micro_usd: monthly_budget_usd.and_then(micros),
        expires_at: end(expires_at.as_deref(), now)?,
        ..Key::default()
    })
}

/// The key with the changes of a merge patch, if the caller may make them.
pub fn patched(
    was: &Key,
    body: JsonDocument<ApiKeyPatch>,
    caller: &Caller,
    now: Timestamp,
) -> Result<Key, ApiError> {
    let patch = body.value.clone();
    body.typed()?;
    if was.revoked_at.is_some() {
        return Err(over(was, "is revoked"));
    }
    let mut changed = document(was);
    merge(&mut changed, patch);
    // The account is none of what a patch may change.
    if let Some(members) = changed.as_object_mut() {
        members.retain(|name, _| name != "account");
    }
    let ApiKeyPatch {
        name,
        scopes,
        rate_per_minute,
        daily_budget_usd,
        monthly_budget_usd,
        expires_at,
    } = JsonDocument::<ApiKeyPatch>::of(changed).typed()?;
    let name = name.ok_or_else(|| invalid("/name", "required", "a key has a name"))?;
    let scopes = scopes.unwrap_or_else(|| SCOPES_DEFAULT.to_vec());
    check_grants(&scopes, &scopes_of(was), caller)?;
    let expires_at = match expires_at == was.expires_at {
        true => expires_at,
        false => end(expires_at.as_deref(), now)?,
    };
    Ok(Key {
        name,
        scopes: Some(words(&scopes)),
        rate_per_minute,
        daily_budget_micro_usd: daily_budget_usd.and_then(micros),
        monthly_budget_micro_usd: monthly_budget_usd.and_then(micros),
        expires_at,
        ..was.clone()
    })
}

/// Refuses the rotation of a key that is over or was rotated, and by one who has fewer rights: the
/// new secret would give them.
pub fn check_rotation(key: &Key, caller: &Caller, now: Timestamp) -> Result<(), ApiError> {
    match (status(key, now), &key.rotated_to) {
        (KeyStatus::Revoked, _) => return Err(over(key, "is revoked")),
        (_, Some(next)) => {
            return Err(over(key, &format!("was rotated already: its successor is {next}")));
        }
        (KeyStatus::Expired, None) => return Err(over(key, "has expired")),
        (KeyStatus::Active, None) => {}
    }
    check_grants(&scopes_of(key), &[], caller)
}

/// When the successor of a key ends: as asked, else as the key itself.
pub fn new_end(asked: Option<&str>, old: &Key, now: Timestamp) -> Result<Option<String>, ApiError> {
    match asked {
        Some(_) => end(asked, now),
        None => Ok(old.expires_at.clone()),
    }
}

/// What a rotation comes to, for the audit log.
pub fn rotation(old: &Key, new_id: &str, end: Option<&str>, old_ends_at: Timestamp) -> Value {
    let old_ends_at = old.ends_at().map_or(old_ends_at, |end| end.min(old_ends_at));
    let mut after = document(&Key { expires_at: end.map(str::to_owned), ..old.clone() });
    after["rotated_to"] = new_id.into();
    after["old_expires_at"] = iso(old_ends_at).into();
    after
}

/// The settings, as the audit log keeps them: nothing of the secret.
pub fn document(key: &Key) -> Value {
    json!({
        "account": key.account_id,
        "name": key.name,
        "scopes": key.scopes,
        "rate_per_minute": key.rate_per_minute,
        "daily_budget_usd": key.daily_budget_micro_usd.map(usd),
        "monthly_budget_usd": key.monthly_budget_micro_usd.map(usd),
        "expires_at": key.expires_at,
    })
}

/// A row as the wire has it.
pub fn shown(key: Key, now: Timestamp) -> ApiKeyEntry {
    ApiKeyEntry {
        status: status(&key, now),
        scopes: scopes_of(&key),
        id: key.id,
        account: key.account_id,
        name: key.name,
        rate_per_minute: key.rate_per_minute,
        daily_budget_usd: key.daily_budget_micro_usd.map(usd),
        monthly_budget_usd: key.monthly_budget_micro_usd.map(usd),
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        last_used_at: key.last_used_at,
        rotated_from: key.rotated_from,
        rotated_to: key.rotated_to,
        created_at: key.created_at,
        updated_at: key.updated_at,
    }
}

/// The account of a key that is to be issued is none, or not the caller's to know.
pub fn account_unknown() -> ApiError {
    invalid("/account", "account.unknown", "names no account that you administer")
}

fn status(key: &Key, now: Timestamp) -> KeyStatus {
    match key.ends_at() {
        _ if key.revoked_at.is_some() => KeyStatus::Revoked,
        Some(end) if end <= now => KeyStatus::Expired,
        Some(_) | None => KeyStatus::Active,
    }
}

/// Nobody gives a right that they do not have; those that were there may stay.
fn check_grants(wanted: &[KeyScope], had: &[KeyScope], caller: &Caller) -> Result<(), ApiError> {
    for word in wanted.iter().filter(|word| !had.contains(word)) {
        let scope = match word {
            KeyScope::Execute => Scope::Execute,
            KeyScope::Read => Scope::Read,
            KeyScope::Admin => Scope::Admin,
        };
        if !caller.grants().contains(scope) {
            return Err(ApiError::ScopeMissing { scope: scope.as_str() });
        }
    }
    Ok(())
}

/// The scopes that a row names, each once and in order; other words give no right.
fn scopes_of(key: &Key) -> Vec<KeyScope> {
    let listed = key.scopes.as_ref().and_then(Value::as_array).into_iter().flatten();
    let known = listed.filter_map(|word| serde_json::from_value(word.clone()).ok());
    let mut known: Vec<KeyScope> = known.collect();
    known.sort();
    known.dedup();
    known
}

fn words(scopes: &[KeyScope]) -> Value {
    let mut scopes = scopes.to_vec();
    scopes.sort();
    scopes.dedup();
    scopes.into_iter().filter_map(label).collect::<Vec<_>>().into()
}

/// The end that is asked for, as rows have it.
fn end(asked: Option<&str>, now: Timestamp) -> Result<Option<String>, ApiError> {
    let Some(text) = asked else { return Ok(None) };
    let mut found = Vec::new();
    let at = moment("/expires_at", Some(text.to_owned()), &mut found);
    if at.is_some_and(|at| at <= now) {
        report(&mut found, "/expires_at", "past", "is in the past");
    }
    if found.is_empty() { Ok(at.map(iso)) } else { Err(ApiError::RequestInvalid(found)) }
}

fn invalid(pointer: &str, code: &str, message: &str) -> ApiError {
    let mut found: Vec<Violation> = Vec::new();
    report(&mut found, pointer, code, message);
    ApiError::RequestInvalid(found)
}

fn over(key: &Key, why: &str) -> ApiError {
    ApiError::KeyOver { message: format!("The key '{}' {why}", key.id) }
}

#[cfg(test)]
mod tests;
