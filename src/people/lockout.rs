//! When a sign-in is not even looked at: after too many failures of a user, of a name that nobody
//! has, or of an address. A name that nobody has is blocked like one that somebody has, so a block
//! tells nothing.

use engine::time::{Millis, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::config::Secret;
use crate::db::Database;
use crate::db::api_keys::hex;
use crate::db::sign_in_attempts::{self, Attempt, Counted, Limit};
use crate::db::users::key;
use crate::error::ApiError;

/// Of a user or a name: guessing goes on at four an hour at most.
const OF_WHO: Limit = Limit {
    failures: 5,
    block: Millis::from_secs(30),
    block_max: Millis::from_secs(900),
    forgotten_after: Millis::from_secs(86_400),
};
/// Of an address, behind which many people may sit.
const OF_ADDRESS: Limit = Limit { failures: 20, ..OF_WHO };
/// As much of a name's digest as tells it from others.
const DIGEST_BYTES: usize = 16;

/// Under what the failures of a user are counted.
pub fn subject_of_user(user_id: &str) -> String {
    format!("user:{user_id}")
}

/// Under what those of a name that nobody has: people type passwords into that field, so only
/// whoever has the key can tell which name it was.
pub fn subject_of_name(secret: &Secret, login: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(b"sign-in name\0");
    mac.update(key(login).as_bytes());
    format!("name:{}", hex(&mac.finalize().into_bytes()[..DIGEST_BYTES]))
}

/// Under what those of an address.
pub fn subject_of_address(address: &str) -> String {
    format!("address:{address}")
}

/// An attempt that was counted.
pub struct Taken {
    /// What tells it from others.
    pub id: String,
    /// Whether the password may be looked at.
    pub counted: Counted,
}

/// Counts an attempt, before the password is looked at.
pub async fn take_attempt(
    db: &impl Database,
    who: &str,
    address: Option<&str>,
    now: Timestamp,
) -> Result<Taken, ApiError> {
    let id = Uuid::now_v7().to_string();
    let address = address.map(subject_of_address);
    let attempt = Attempt { id: &id, who, address: address.as_deref(), at: now };
    let counted = sign_in_attempts::count(db, attempt, (OF_WHO, OF_ADDRESS)).await?;
    Ok(Taken { id, counted })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    #[test]
    fn a_name_is_counted_however_it_is_written_and_not_shown() {
        let secrets = |letter: &str| {
            let key = letter.repeat(32);
            Config::read(|name| (name == "SECRET_KEY").then(|| key.clone())).secrets
        };
        let secret = secrets("k").secret_key.unwrap();
        let subject = subject_of_name(&secret, "Hunter2-Ä");
        assert_eq!(subject, subject_of_name(&secret, "hunter2-ä"));
        assert_ne!(subject, subject_of_name(&secret, "hunter2-b"));
        assert_ne!(subject, subject_of_name(&secrets("l").secret_key.unwrap(), "hunter2-ä"));
        assert!(subject.len() == 37 && !subject.contains("unter"), "{subject}");
    }
}
