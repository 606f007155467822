//! Refresh tokens: each is used once, and the reply brings the one that takes its place.
//!
//! A token that comes a second time was stolen, or its answer was lost on the way. A client that
//! asks again within [`RETRY_GRACE`] gets the same successor, as long as nobody has used that one:
//! the successor is derived from the token under the key, so that it need not be stored to be told
//! again. Any other second use ends the session, for whoever holds its tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::time::{Millis, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::sign_in::Tokens;
use crate::auth::token::Checked;
use crate::auth::{REFRESH_PREFIX, token};
use crate::clock::{self, now};
use crate::config::{SECRET_KEY, Secret, Secrets};
use crate::db::api_keys::hex;
use crate::db::sessions::{self, Span, Standing};
use crate::db::{Database, iso};
use crate::error::{ApiError, SignInFault};
use crate::request::RequestContext;
use crate::security::{self, Event, Kind};

/// How long a token that is not used is accepted.
pub const LIFETIME: Millis = Millis::from_secs(14 * 86_400);
/// How long a client that has lost an answer may ask for it again.
const RETRY_GRACE: Millis = Millis::from_secs(60);
/// So often is a session refreshed, each half hour for its ninety days and as often again.
const REFRESHES_MAX: u32 = 10_000;
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;

/// What is to be made of a token that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Its successor is the client's.
    Follow,
    /// It is over; nothing follows from that.
    Over,
    /// It was used by two.
    Reused,
}

/// A token that nobody has.
pub fn fresh() -> String {
    let mut random = [0; SECRET_BYTES];
    clock::fill(&mut random);
    format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// What is kept of a token.
pub fn hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// Puts the next tokens into the place of `sent`.
pub async fn refresh(
    context: &RequestContext,
    address: Option<&str>,
    sent: &str,
) -> Result<Tokens, ApiError> {
    let secrets = &context.config().secrets;
    let key = secrets.secret_key.as_ref();
    let key = key.ok_or(ApiError::AuthNotConfigured { secret: SECRET_KEY })?;
    if !has_form(sent) {
        return Err(SignInFault::RefreshInvalid.into());
    }
    let (db, now) = (context.database()?, now());
    let next = successor(key, sent);
    let hashes = (hash(sent), hash(&next));
    let span = Span { from: now, until: now.plus(LIFETIME) };
    let pair = (hashes.0.as_str(), hashes.1.as_str());
    let standing = sessions::follow(&db, pair, span, REFRESHES_MAX).await?;
    let Some(standing) = standing else { return Err(SignInFault::RefreshInvalid.into()) };
    // The successor was made under the key before, if its answer was lost while that was rotated.
    let told = told_again(secrets, sent, standing.next_hash.as_deref()).unwrap_or(next);
    match judge(&standing, &hash(&told), now) {
        Verdict::Follow => {
            let Standing { user_id, session_id, .. } = standing;
            let who = Checked { user_id, session_id };
            Ok(Tokens { access: token::issue(key, &who, now), refresh: told })
        }
        Verdict::Over => Err(SignInFault::RefreshInvalid.into()),
        Verdict::Reused => {
            db.query(sessions::end(&standing.session_id, now, "reused")).await?;
            security::note(
                context,
                Event {
                    kind: Kind::RefreshReused,
                    account: Some(standing.account_id),
                    actor: ("user".to_owned(), standing.user_id.clone()),
                    subject: standing.user_id,
                    address: address.map(str::to_owned),
                    reason: "the session has ended",
                },
            );
            Err(SignInFault::RefreshReused.into())
        }
    }
}

/// The session that a token is of, whatever has become of the token.
pub async fn session_of(db: &impl Database, sent: &str) -> Result<Option<Standing>, ApiError> {
    if !has_form(sent) {
        return Ok(None);
    }
    Ok(sessions::standing(db, &hash(sent)).await?)
}

fn has_form(token: &str) -> bool {
    let secret = token.strip_prefix(REFRESH_PREFIX);
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    secret.is_some_and(|rest| rest.len() == SECRET_CHARS && rest.bytes().all(base64url))
}

/// The token that takes the place of another.
fn successor(key: &Secret, token: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(b"refresh token\0");
    mac.update(token.as_bytes());
    format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The successor that has the hash `known`, if the key before this one makes it.
fn told_again(secrets: &Secrets, sent: &str, known: Option<&str>) -> Option<String> {
    let told = successor(secrets.secret_key_previous.as_ref()?, sent);
    (known == Some(hash(&told).as_str())).then_some(told)
}

/// What is to be made of a token after its use was tried; `told` is the hash of what the client
/// would get.
fn judge(standing: &Standing, told: &str, now: Timestamp) -> Verdict {
    if !standing.goes_on_at(&iso(now)) {
        return Verdict::Over;
    }
    let (Some(next), Some(used)) = (&standing.next_hash, standing.used()) else {
        return Verdict::Over;
    };
    let recent = now.since(used) <= RETRY_GRACE;
    match (recent && standing.next_used_at.is_none(), next == told) {
        (true, true) => Verdict::Follow,
        // Made under a key that is gone: it cannot be told again, and nobody has misused it.
        (true, false) => Verdict::Over,
        (false, _) => Verdict::Reused,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + ms)
    }

    fn used(ago_ms: i64) -> Standing {
        Standing {
            session_id: "s".into(),
            user_id: "u".into(),
            account_id: "default".into(),
            expires_at: iso(at(1_000)),
            used_at: Some(iso(at(-ago_ms))),
            next_hash: Some("next".into()),
            next_used_at: None,
            ended_at: None,
            session_expires_at: iso(at(1_000)),
            active: true,
            account_status: "active".into(),
        }
    }

    #[test]
    fn a_lost_answer_is_told_again_and_a_second_use_ends_the_session() {
        assert_eq!(judge(&used(0), "next", NOW), Verdict::Follow);
        assert_eq!(judge(&used(60_000), "next", NOW), Verdict::Follow);
        assert_eq!(judge(&used(60_001), "next", NOW), Verdict::Reused);
        let went_on = Standing { next_used_at: Some(iso(NOW)), ..used(5) };
        assert_eq!(judge(&went_on, "next", NOW), Verdict::Reused, "two went on from it");
        assert_eq!(judge(&used(5), "other", NOW), Verdict::Over, "the key is gone");
    }

    #[test]
    fn nothing_follows_from_what_is_over() {
        for over in [
            Standing { ended_at: Some(iso(NOW)), ..used(90_000) },
            Standing { active: false, ..used(0) },
            Standing { account_status: "suspended".into(), ..used(0) },
            Standing { expires_at: iso(NOW), ..used(0) },
            Standing { session_expires_at: iso(NOW), ..used(0) },
            Standing { used_at: None, next_hash: None, ..used(0) },
        ] {
            assert_eq!(judge(&over, "next", NOW), Verdict::Over, "{over:?}");
        }
    }

    #[test]
    fn a_successor_is_of_its_token_and_of_the_key() {
        let secrets = Config::read(|name| match name {
            "SECRET_KEY" => Some("n".repeat(32)),
            "SECRET_KEY_PREVIOUS" => Some("o".repeat(32)),
            _ => None,
        })
        .secrets;
        let (new, old) = (secrets.secret_key.clone().unwrap(), secrets.secret_key_previous.clone());
        let old = old.unwrap();
        let token = fresh();
        assert!(has_form(&token) && token != fresh());
        let next = successor(&new, &token);
        assert!(has_form(&next) && next != token);
        assert_eq!(next, successor(&new, &token));
        assert_ne!(next, successor(&new, &next));
        assert_ne!(next, successor(&old, &token));
        let before = successor(&old, &token);
        assert_eq!(told_again(&secrets, &token, Some(&hash(&before))), Some(before));
        assert_eq!(told_again(&secrets, &token, Some(&hash(&next))), None);
        for bad in ["", "bwr_", "bwr_short", &token[4..], &format!("{token}a")] {
            assert!(!has_form(bad), "{bad}");
        }
    }
}
