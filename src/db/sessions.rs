//! Sessions of users, and their refresh tokens. A row has the hash of a token, never the token.

use engine::time::Timestamp;
use serde::Deserialize;

use super::row::{flag, moment};
use super::{Database, DbError, Statement, statements};

statements! { "sessions":
    /// The user ?2 as long as its session ?1 goes on at ?3 and it may sign in.
    PERSON = "SELECT u.account_id, u.role, a.status AS account_status
      FROM user_sessions AS s JOIN users AS u ON u.user_id = s.user_id
      JOIN accounts AS a ON a.id = u.account_id
      WHERE s.id = ?1 AND s.user_id = ?2 AND s.ended_at IS NULL AND s.expires_at > ?3
        AND u.active = 1";

    /// Begins the session ?1 of the user ?2 at ?3 until ?4, if its password still has the hash ?5
    /// and it may sign in.
    BEGIN = "INSERT INTO user_sessions (id, user_id, created_at, expires_at)
      SELECT ?1, u.user_id, ?3, ?4 FROM users AS u
      WHERE u.user_id = ?2 AND u.password_hash = ?5 AND u.active = 1
      ON CONFLICT (id) DO NOTHING";

    /// The first token of a session, if that has begun.
    FIRST_TOKEN = "INSERT INTO refresh_tokens (token_hash, session_id, created_at, expires_at)
      SELECT ?1, s.id, ?3, ?4 FROM user_sessions AS s WHERE s.id = ?2
      ON CONFLICT DO NOTHING";

    /// Ends all sessions of the user ?1 but the newest ?3.
    END_SURPLUS = "UPDATE user_sessions SET ended_at = ?2, end_reason = 'surplus'
      WHERE user_id = ?1 AND ended_at IS NULL AND id NOT IN (
        SELECT id FROM user_sessions WHERE user_id = ?1 AND ended_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT ?3)";

    /// Whether a session has begun.
    BEGUN = "SELECT id FROM user_sessions WHERE id = ?1";

    /// The token ?2 in the place of ?1, if that was not used and holds at ?3, and its session has
    /// been refreshed less than ?5 times.
    FOLLOW = "INSERT INTO refresh_tokens (token_hash, session_id, parent_hash, created_at,
        expires_at)
      SELECT ?2, s.id, t.token_hash, ?3, min(?4, s.expires_at)
      FROM refresh_tokens AS t JOIN user_sessions AS s ON s.id = t.session_id
      JOIN users AS u ON u.user_id = s.user_id JOIN accounts AS a ON a.id = u.account_id
      WHERE t.token_hash = ?1 AND t.used_at IS NULL AND t.expires_at > ?3 AND s.ended_at IS NULL
        AND s.expires_at > ?3 AND s.refreshes < ?5 AND u.active = 1 AND a.status = 'active'
      ON CONFLICT DO NOTHING";

    /// Notes that the token ?1 was used, once it has a successor.
    USE = "UPDATE refresh_tokens SET used_at = ?2 WHERE token_hash = ?1 AND used_at IS NULL
        AND EXISTS (SELECT 1 FROM refresh_tokens AS n WHERE n.parent_hash = ?1)";

    /// Notes that the session of the token ?1 was refreshed, directly behind the use of it.
    REFRESHED = "UPDATE user_sessions SET refreshed_at = ?2, refreshes = refreshes + 1
      WHERE changes() > 0 AND id = (SELECT session_id FROM refresh_tokens WHERE token_hash = ?1)";

    /// The token ?1, its successor and its session.
    STANDING = "SELECT t.session_id, t.expires_at, t.used_at, n.token_hash AS next_hash,
        n.used_at AS next_used_at, s.user_id, s.ended_at, s.expires_at AS session_expires_at,
        u.account_id, u.active, a.status AS account_status
      FROM refresh_tokens AS t JOIN user_sessions AS s ON s.id = t.session_id
      JOIN users AS u ON u.user_id = s.user_id JOIN accounts AS a ON a.id = u.account_id
      LEFT JOIN refresh_tokens AS n ON n.parent_hash = t.token_hash
      WHERE t.token_hash = ?1";

    /// Ends the session ?1 at ?2 for the reason ?3.
    END = "UPDATE user_sessions SET ended_at = ?2, end_reason = ?3
      WHERE id = ?1 AND ended_at IS NULL RETURNING id";

    /// Ends all sessions of the user ?1 but ?4 at ?2 for the reason ?3.
    END_ALL = "UPDATE user_sessions SET ended_at = ?2, end_reason = ?3
      WHERE user_id = ?1 AND ended_at IS NULL AND (?4 IS NULL OR id <> ?4) RETURNING id";

    /// Ends the sessions of a user that was deactivated.
    END_OF_INACTIVE = "UPDATE user_sessions SET ended_at = ?2, end_reason = 'deactivated'
      WHERE user_id = ?1 AND ended_at IS NULL
        AND EXISTS (SELECT 1 FROM users WHERE user_id = ?1 AND active = 0)";

    /// Ends the sessions of the user ?1 that was moved to the account ?3.
    END_OF_MOVED = "UPDATE user_sessions SET ended_at = ?2, end_reason = 'moved'
      WHERE user_id = ?1 AND ended_at IS NULL
        AND EXISTS (SELECT 1 FROM users WHERE user_id = ?1 AND account_id = ?3)";

    /// Ends the sessions of the user ?1 but ?4 once its password has the hash ?3; ?5 is the reason.
    END_OF_OLD_PASSWORD = "UPDATE user_sessions SET ended_at = ?2, end_reason = ?5
      WHERE user_id = ?1 AND ended_at IS NULL AND (?4 IS NULL OR id <> ?4)
        AND EXISTS (SELECT 1 FROM users WHERE user_id = ?1 AND password_hash = ?3) RETURNING id";

    /// Removes tokens that were over before ?1, at most ?2.
    FORGET_TOKENS = "DELETE FROM refresh_tokens WHERE token_hash IN (
        SELECT token_hash FROM refresh_tokens WHERE expires_at < ?1 LIMIT ?2)";

    /// Removes sessions that were over before ?1, at most ?2.
    FORGET_SESSIONS = "DELETE FROM user_sessions WHERE id IN (
        SELECT id FROM user_sessions WHERE expires_at < ?1 LIMIT ?2)";
}

/// What a request needs to know of the person who makes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PersonRow {
    /// The account that it belongs to.
    pub account_id: String,
    /// `admin`, `user` or `viewer`.
    pub role: String,
    /// `active` or `suspended`.
    pub account_status: String,
}

/// How long something holds.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// A refresh token as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Standing {
    /// The session that it is of.
    pub session_id: String,
    /// The user whose session that is.
    pub user_id: String,
    /// The account of the user.
    pub account_id: String,
    /// When the token ends.
    pub expires_at: String,
    /// When it was used.
    pub used_at: Option<String>,
    /// The token that took its place.
    pub next_hash: Option<String>,
    /// When that one was used.
    pub next_used_at: Option<String>,
    /// When the session was ended.
    pub ended_at: Option<String>,
    /// When it ends at the latest.
    pub session_expires_at: String,
    /// Whether the user may sign in.
    #[serde(deserialize_with = "flag")]
    pub active: bool,
    /// `active` or `suspended`.
    pub account_status: String,
}

impl Standing {
    /// When the token was used; a moment that nobody can read is long past.
    pub fn used(&self) -> Option<Timestamp> {
        let text = self.used_at.as_deref()?;
        Some(moment(text).unwrap_or(Timestamp::from_millis(0)))
    }

    /// Whether nothing but its use stands against the token at a moment, as rows have it.
    pub fn goes_on_at(&self, now: &str) -> bool {
        self.ended_at.is_none()
            && self.active
            && self.account_status == "active"
            && self.session_expires_at.as_str() > now
            && self.expires_at.as_str() > now
    }
}

/// The person whose session `session` is, if it goes on.
pub async fn person(
    db: &impl Database,
    session: &str,
    user: &str,
    now: Timestamp,
) -> Result<Option<PersonRow>, DbError> {
    db.query(PERSON.with(session).with(user).with(now)).await?.first()
}

/// The statement that begins a session of a user whose password has this hash.
pub fn begin(session: &str, user: &str, span: Span, hash: &str) -> Statement {
    BEGIN.with(session).with(user).with(span.from).with(span.until).with(hash)
}

/// The statement that gives a session its first token.
pub fn first_token(token_hash: &str, session: &str, span: Span) -> Statement {
    FIRST_TOKEN.with(token_hash).with(session).with(span.from).with(span.until)
}

/// The statement that ends all sessions of a user but the newest.
pub fn end_surplus(user: &str, now: Timestamp, kept: u32) -> Statement {
    END_SURPLUS.with(user).with(now).with(kept)
}

/// The statement that gives a row if a session has begun.
pub fn begun(session: &str) -> Statement {
    BEGUN.with(session)
}

/// Puts `next` into the place of `token`, if nothing is in its place and nothing stands against
/// it, and tells how `token` stands then.
pub async fn follow(
    db: &impl Database,
    (token, next): (&str, &str),
    span: Span,
    refreshes_max: u32,
) -> Result<Option<Standing>, DbError> {
    let statements = [
        FOLLOW.with(token).with(next).with(span.from).with(span.until).with(refreshes_max),
        USE.with(token).with(span.from),
        REFRESHED.with(token).with(span.from),
        STANDING.with(token),
    ];
    let [_, _, _, standing] = db.batch_of(statements).await?;
    standing.first()
}

/// How a token stands.
pub async fn standing(db: &impl Database, token: &str) -> Result<Option<Standing>, DbError> {
    db.query(STANDING.with(token)).await?.first()
}

/// The statement that ends a session; it gives a row if that went on.
pub fn end(session: &str, now: Timestamp, reason: &str) -> Statement {
    END.with(session).with(now).with(reason)
}

/// The statement that ends all sessions of a user, or all but one; it gives a row for each.
pub fn end_all(user: &str, now: Timestamp, reason: &str, kept: Option<&str>) -> Statement {
    END_ALL.with(user).with(now).with(reason).with(kept)
}

/// The statement that ends the sessions of a user that is not active.
pub fn end_of_inactive(user: &str, now: Timestamp) -> Statement {
    END_OF_INACTIVE.with(user).with(now)
}

/// The statement that ends the sessions of a user that was moved to `account`.
pub fn end_of_moved(user: &str, now: Timestamp, account: &str) -> Statement {
    END_OF_MOVED.with(user).with(now).with(account)
}

/// The statement that ends the sessions of a user, or all but one, once its password has this
/// hash; it gives a row for each.
pub fn end_of_old_password(
    (user, hash): (&str, &str),
    now: Timestamp,
    kept: Option<&str>,
    reason: &str,
) -> Statement {
    END_OF_OLD_PASSWORD.with(user).with(now).with(hash).with(kept).with(reason)
}

/// The statements that remove what has long been over, so many rows of each kind.
pub fn forget(before: Timestamp, rows_max: u32) -> [Statement; 2] {
    [FORGET_TOKENS.with(before).with(rows_max), FORGET_SESSIONS.with(before).with(rows_max)]
}
