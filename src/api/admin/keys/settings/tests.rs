//! What a key may be, and who may make it so.

use serde_json::json;

use super::*;
use crate::auth::tests::{issued, operator};

const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

fn asked(value: Value) -> NewApiKey {
    serde_json::from_value(value).unwrap()
}

fn code<T>(result: Result<T, ApiError>) -> String {
    match result {
        Ok(_) => "it is allowed".to_owned(),
        Err(ApiError::RequestInvalid(found)) => format!("{} {}", found[0].pointer, found[0].code),
        Err(error) => error.code().as_str().to_owned(),
    }
}

fn key(scopes: &[&str]) -> Key {
    Key {
        id: "k".into(),
        account_id: "acme".into(),
        name: "ci".into(),
        scopes: Some(json!(scopes)),
        rate_per_minute: Some(60),
        daily_budget_micro_usd: Some(5_000_000),
        expires_at: Some(iso(NOW.plus(engine::time::Millis::from_secs(60)))),
        ..Key::default()
    }
}

#[test]
fn a_secret_has_the_form_of_a_key_and_comes_once() {
    let (one, other) = (fresh(), fresh());
    assert_ne!(one.secret, other.secret);
    assert_eq!(one.secret.len(), "bwk_".len() + 43);
    assert!(one.secret.starts_with("bwk_"));
    assert_eq!(one.hash, sha256_hex(one.secret.as_bytes()));
    assert_eq!(one.hash.len(), 64);
}

#[test]
fn an_administrator_issues_keys_of_the_own_account_and_rights_that_it_has() {
    let admin = issued("acme", &["read", "admin"]);
    let made = new(asked(json!({"name": "a", "scopes": ["read"]})), &admin, NOW).unwrap();
    assert_eq!((made.account_id.as_str(), made.scopes), ("acme", Some(json!(["read"]))));
    let by = |caller: &Caller, body: Value| code(new(asked(body), caller, NOW));
    assert_eq!(by(&admin, json!({"name": "a"})), "auth.scope_missing", "execute is the default");
    assert_eq!(by(&admin, json!({"name": "a", "scopes": ["admin"]})), "it is allowed");
    let elsewhere = json!({"name": "a", "account": "default", "scopes": ["read"]});
    assert_eq!(by(&admin, elsewhere.clone()), "/account account.unknown");
    let installation = issued("default", &["read", "admin"]);
    assert_eq!(by(&installation, elsewhere), "it is allowed");
    let all = json!({"name": "a", "account": "acme", "scopes": ["admin", "execute", "read"]});
    assert_eq!(by(&installation, all.clone()), "auth.scope_missing");
    assert_eq!(by(&operator(), all.clone()), "it is allowed");
    let made = new(asked(all), &operator(), NOW).unwrap();
    assert_eq!(made.scopes, Some(json!(["execute", "read", "admin"])), "in one order");
}

#[test]
fn an_end_is_a_moment_to_come() {
    let with = |end: &str| {
        new(asked(json!({"name": "a", "expires_at": end})), &operator(), NOW)
            .map(|key| key.expires_at.unwrap())
    };
    assert_eq!(with("2026-12-24T18:00:00+01:00").unwrap(), "2026-12-24T17:00:00.000Z");
    assert_eq!(code(with(&iso(NOW))), "/expires_at past");
    assert_eq!(code(with("soon")), "/expires_at format");
}

#[test]
fn a_patch_gives_no_right_that_its_maker_lacks_and_keeps_those_that_were_there() {
    let admin = issued("acme", &["admin"]);
    let was = key(&["execute"]);
    let patch = |body: Value| patched(&was, JsonDocument::of(body), &admin, NOW);
    assert_eq!(patch(json!({})).unwrap(), was);
    assert_eq!(
        patch(json!({"scopes": ["execute", "admin"]}))
            .unwrap()
            .scopes
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(code(patch(json!({"scopes": ["execute", "read"]}))), "auth.scope_missing");
    assert_eq!(code(patch(json!({"scopes": null}))), "auth.scope_missing", "the default has read");
    assert_eq!(code(patch(json!({"name": null}))), "/name required");
    assert_eq!(code(patch(json!({"account": "other"}))), "/account unknown_field");
    assert_eq!(code(patch(json!({"expires_at": "2020-01-01T00:00:00Z"}))), "/expires_at past");
    let free = patch(json!({"daily_budget_usd": null, "expires_at": null})).unwrap();
    assert_eq!((free.daily_budget_micro_usd, free.expires_at), (None, None));
    let expired = Key { expires_at: Some("2020-01-01T00:00:00.000Z".into()), ..was.clone() };
    let renamed = patched(&expired, JsonDocument::of(json!({"name": "b"})), &admin, NOW);
    assert_eq!(renamed.unwrap().name, "b", "an end that is not touched may be past");
    let revoked = Key { revoked_at: Some(iso(NOW)), ..was.clone() };
    let late = patched(&revoked, JsonDocument::of(json!({"name": "b"})), &admin, NOW);
    assert_eq!(code(late), "api_key.over");
}

#[test]
fn only_a_living_key_is_rotated_once_and_by_one_who_has_its_rights() {
    let admin = issued("acme", &["admin", "read"]);
    let check = |key: &Key| code(check_rotation(key, &admin, NOW));
    assert_eq!(check(&key(&["read"])), "it is allowed");
    assert_eq!(check(&key(&["execute"])), "auth.scope_missing", "the secret would give it");
    let past = Some(iso(NOW));
    for over in [
        Key { revoked_at: past.clone(), ..key(&["read"]) },
        Key { expires_at: past, ..key(&["read"]) },
        Key { rotated_to: Some("next".into()), ..key(&["read"]) },
    ] {
        assert_eq!(check(&over), "api_key.over");
    }
}

#[test]
fn what_is_shown_and_logged_has_no_secret_and_no_hash() {
    let key = key(&["read", "fly"]);
    let (shown, logged) = (json!(shown(key.clone(), NOW)), document(&key));
    assert_eq!((&shown["status"], &shown["scopes"]), (&json!("active"), &json!(["read"])));
    assert_eq!(shown["daily_budget_usd"], 5.0);
    for text in [shown.to_string(), logged.to_string()] {
        assert!(!text.contains("hash") && !text.contains("secret"), "{text}");
    }
    let rotation = rotation(&key, "new", None, NOW.plus(engine::time::Millis::from_secs(3600)));
    assert_eq!(rotation["old_expires_at"], json!(key.expires_at), "it ends no later than before");
}
