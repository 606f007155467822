//! Tokens: which hold, and the attacks on them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use sha2::{Sha384, Sha512};

use super::*;
use crate::clock::now;
use crate::config::Config;

const KEY: &str = "a key of at least thirty-two characters";
const OLD_KEY: &str = "the key that was used before the other one";

fn secrets(current: &str, previous: &str) -> Secrets {
    let read = |name: &str| match name {
        "SECRET_KEY" => Some(current.to_owned()),
        "SECRET_KEY_PREVIOUS" => Some(previous.to_owned()),
        _ => None,
    };
    Config::read(read).secrets
}

fn ours() -> Secrets {
    secrets(KEY, "")
}

fn ada() -> Checked {
    Checked { user_id: "u-ada".to_owned(), session_id: "s-1".to_owned() }
}

fn issued(key: &str, at: Timestamp) -> String {
    issue(secrets(key, "").secret_key.as_ref().unwrap(), &ada(), at)
}

fn claims() -> Value {
    let at = seconds(now());
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "u-ada", "sid": "s-1", "jti": "j",
        "iat": at, "nbf": at, "exp": at + 1_800,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// A token made by hand, whatever its header says.
fn forged(header: &Value, claims: &Value, mac: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    format!("{message}.{}", BASE64.encode(mac(message.as_bytes())))
}

fn hs256(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    move |message| {
        let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.chain_update(message).finalize().into_bytes().to_vec()
    }
}

fn header() -> Value {
    json!({ "alg": "HS256", "typ": "at+jwt" })
}

fn told(token: &str) -> Result<Checked, Fault> {
    check(&ours(), token.as_bytes(), now())
}

#[test]
fn a_token_holds_for_half_an_hour_under_its_key_and_the_one_after() {
    let token = issued(KEY, now());
    assert!(token.len() < BYTES_MAX / 2, "{} bytes", token.len());
    assert_eq!(told(&token), Ok(ada()));
    assert_eq!(told(&forged(&header(), &claims(), hs256(KEY))), Ok(ada()), "made by hand");
    let rotated = secrets("the newest of all the keys that there are", KEY);
    assert_eq!(check(&rotated, token.as_bytes(), now()), Ok(ada()));
    let forgotten = secrets("the newest of all the keys that there are", OLD_KEY);
    assert_eq!(check(&forgotten, token.as_bytes(), now()), Err(Fault::Invalid("signature")));
    let ago = |s: i64| Timestamp::from_millis(now().as_millis() - s * 1000);
    assert_eq!(told(&issued(KEY, ago(1_790))), Ok(ada()));
    assert_eq!(told(&issued(KEY, ago(1_810))), Err(Fault::Expired));
    let expired = check(&rotated, issued(KEY, ago(1_810)).as_bytes(), now());
    assert_eq!(expired, Err(Fault::Expired), "also under the key before");
}

#[test]
fn without_a_key_of_32_characters_no_token_holds() {
    for short in ["", "a key of thirty-one characters."] {
        let secrets = secrets(short, OLD_KEY);
        let found = check(&secrets, issued(OLD_KEY, now()).as_bytes(), now());
        assert_eq!(found, Err(Fault::NotConfigured), "{short:?}");
    }
    let short_before = secrets(KEY, "short");
    assert_eq!(short_before.short, ["SECRET_KEY_PREVIOUS"]);
    assert!(check(&short_before, issued(KEY, now()).as_bytes(), now()).is_ok());
}

#[test]
fn nothing_but_hs256_is_believed() {
    let sign = hs256(KEY);
    for alg in ["none", "None", "NONE", "nOnE", "RS256", "HS384", "HS512", "ES256", "", "hs256"] {
        let header = json!({ "alg": alg, "typ": "at+jwt" });
        for token in [
            forged(&header, &claims(), |_| Vec::new()),
            forged(&header, &claims(), &sign),
            forged(&header, &claims(), hs384(KEY)),
            forged(&header, &claims(), hs512(KEY)),
        ] {
            assert!(matches!(told(&token), Err(Fault::Invalid(_))), "{alg:?} {token}");
        }
    }
    for header in [
        json!({ "alg": "HS256" }),
        json!({ "alg": "HS256", "typ": "JWT" }),
        json!({ "typ": "at+jwt" }),
        json!({ "alg": ["HS256"], "typ": "at+jwt" }),
        json!([]),
    ] {
        let token = forged(&header, &claims(), &sign);
        assert!(matches!(told(&token), Err(Fault::Invalid(_))), "{header}");
    }
    // Right as to its form, and the signature is of another hash.
    let token = forged(&self::header(), &claims(), hs384(KEY));
    assert_eq!(told(&token), Err(Fault::Invalid("signature")));
}

fn hs384(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    move |message| {
        let mac = Hmac::<Sha384>::new_from_slice(key.as_bytes()).unwrap();
        mac.chain_update(message).finalize().into_bytes().to_vec()
    }
}

fn hs512(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    move |message| {
        let mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
        mac.chain_update(message).finalize().into_bytes().to_vec()
    }
}

#[test]
fn a_token_that_was_changed_or_signed_by_another_does_not_hold() {
    let signature = Err(Fault::Invalid("signature"));
    assert_eq!(told(&issued(OLD_KEY, now())), signature);
    assert_eq!(told(&forged(&header(), &claims(), hs256(""))), signature);
    assert_eq!(told(&forged(&header(), &claims(), |_| Vec::new())), signature);
    let token = issued(KEY, now());
    let parts: Vec<&str> = token.split('.').collect();
    let other = BASE64.encode(with("sub", json!("u-root")).to_string());
    assert_eq!(told(&format!("{}.{other}.{}", parts[0], parts[2])), signature);
    let cut = BASE64.encode([7; 16]);
    assert_eq!(told(&format!("{}.{}.{cut}", parts[0], parts[1])), signature);
    for broken in [
        String::new(),
        "..".to_owned(),
        "eyJ".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}.{}", parts[2]),
        format!("{}.{}.!!!", parts[0], parts[1]),
        token.replace('.', " "),
    ] {
        assert!(matches!(told(&broken), Err(Fault::Invalid(_))), "{broken:?}");
    }
}

#[test]
fn every_claim_is_demanded_and_looked_at() {
    let signed = |claims: &Value| told(&forged(&header(), claims, hs256(KEY)));
    for name in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        assert!(matches!(signed(&without), Err(Fault::Invalid(_))), "without {name}");
        for odd in [json!(null), json!({}), json!(["x"]), json!(-1), json!(true)] {
            let found = signed(&with(name, odd.clone()));
            assert!(matches!(found, Err(Fault::Invalid(_))), "{name}: {odd}");
        }
    }
    let at = seconds(now());
    for (claims, expected) in [
        (with("iss", json!("someone-else")), Fault::Invalid("issuer")),
        (with("aud", json!("someone-else")), Fault::Invalid("audience")),
        (with("exp", json!(at - 10)), Fault::Expired),
        (with("exp", json!(at + 1_801)), Fault::Invalid("time")),
        (with("exp", json!(u64::MAX)), Fault::Invalid("time")),
        (with("nbf", json!(at + 60)), Fault::Invalid("time")),
        (with("iat", json!(at + 60)), Fault::Invalid("time")),
        (with("iat", json!(u64::MAX)), Fault::Invalid("time")),
        (with("nbf", json!(at - 60)), Fault::Invalid("time")),
    ] {
        assert_eq!(signed(&claims), Err(expected), "{claims}");
    }
}

#[test]
fn a_token_that_is_too_long_is_not_looked_at() {
    let long = with("jti", json!("j".repeat(BYTES_MAX)));
    let token = forged(&header(), &long, hs256(KEY));
    assert_eq!(told(&token), Err(Fault::Invalid("oversized")));
}

#[test]
fn what_is_meant_as_a_token_is_told_from_the_workers_secret() {
    let token = issued(KEY, now());
    for meant in [token.as_str(), "a.b.c", "eyJhbGciOiJub25lIn0", "bwr_abc"] {
        assert!(is_meant(meant.as_bytes()), "{meant}");
    }
    for other in ["", "secret", "a.b", "a.b.c.d", "0123456789abcdef"] {
        assert!(!is_meant(other.as_bytes()), "{other}");
    }
}
