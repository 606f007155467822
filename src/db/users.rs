//! Users: people who sign in. A row has the hash of the password, which leaves this file only for
//! whoever checks one.

use serde::Deserialize;

use super::row::flag;
use super::{Database, DbError, Statement, statements};

/// What administrators change of a user, to tell one state from another.
macro_rules! state {
    () => {
        "json_array(u.account_id, u.email, u.name, u.role, u.active, u.password_changed_at)"
    };
}

macro_rules! columns {
    () => {
        concat!(
            "SELECT u.user_id, u.account_id, u.email, u.name, u.role, u.active,
        u.password_changed_at, u.last_sign_in_at, u.created_at, u.updated_at, a.blocked_until, ",
            state!(),
            " AS state
      FROM users AS u LEFT JOIN sign_in_attempts AS a ON a.subject = 'user:' || u.user_id "
        )
    };
}

/// Whether somebody else than the user ?1 administers the installation.
macro_rules! others {
    () => {
        "EXISTS (SELECT 1 FROM users AS o WHERE o.account_id = 'default' AND o.role = 'admin'
          AND o.active = 1 AND o.user_id <> ?1)"
    };
}

/// Whether the user administers the installation.
macro_rules! operates {
    () => {
        "(u.role = 'admin' AND u.active = 1 AND u.account_id = 'default')"
    };
}

statements! { "users":
    /// A user by id, of the account ?2 or of any.
    BY_ID = concat!(columns!(), "WHERE u.user_id = ?1 AND (?2 IS NULL OR u.account_id = ?2)");

    /// A page of users, oldest first. ?1 account, ?2 role, ?3 active, ?4 the beginning of the
    /// e-mail or the name in lower case; NULL filters nothing. ?5 is the user that the page comes
    /// after, ?6 is how many.
    PAGE = concat!(columns!(), "WHERE (?1 IS NULL OR u.account_id = ?1)
        AND (?2 IS NULL OR u.role = ?2) AND (?3 IS NULL OR u.active = ?3)
        AND (?4 IS NULL OR substr(u.email_key, 1, length(?4)) = ?4
          OR substr(u.name_key, 1, length(?4)) = ?4)
        AND (?5 IS NULL OR u.user_id > ?5)
      ORDER BY u.user_id LIMIT ?6");

    /// A new user of an account that there is, unless one has its e-mail or its name.
    CREATE = "INSERT INTO users (user_id, account_id, email, email_key, name, name_key, role,
        active, password_hash)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = ?2)
      ON CONFLICT DO NOTHING";

    /// The first user of all.
    BEGIN = "INSERT INTO users (user_id, account_id, email, email_key, name, name_key, role,
        active, password_hash)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT EXISTS (SELECT 1 FROM users)
      ON CONFLICT DO NOTHING";

    /// Whether there is any user.
    ANY = "SELECT EXISTS (SELECT 1 FROM users) AS is_there";

    /// Changes a user that is still in the state ?9, if its account exists, nobody else has its
    /// e-mail or its name, and somebody still administers the installation.
    CHANGE = concat!("UPDATE OR IGNORE users AS u SET account_id = ?2, email = ?3, email_key = ?4,
        name = ?5, name_key = ?6, role = ?7, active = ?8
      WHERE u.user_id = ?1 AND ", state!(), " = ?9
        AND EXISTS (SELECT 1 FROM accounts WHERE id = ?2)
        AND (NOT ", operates!(), " OR (?7 = 'admin' AND ?8 = 1 AND ?2 = 'default')
          OR ", others!(), ")");

    /// Gives a user that is still in the state ?4 another password.
    SET_PASSWORD = concat!("UPDATE users AS u SET password_hash = ?2, password_changed_at = ?3
      WHERE u.user_id = ?1 AND ", state!(), " = ?4");

    /// Deletes a user that is still in the state ?2, if somebody still administers the
    /// installation. Its sessions and tokens go with it.
    DELETE = concat!("DELETE FROM users AS u WHERE u.user_id = ?1 AND ", state!(), " = ?2
        AND (NOT ", operates!(), " OR ", others!(), ")");

    /// What stands in the way of a user ?1 of the account ?2, the e-mail ?3 and the name ?4 (both
    /// in lower case): whether each is there or taken, and whether others administer.
    IN_THE_WAY = concat!("SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?2) AS account_exists,
        EXISTS (SELECT 1 FROM users WHERE email_key = ?3 AND user_id <> ?1) AS email_taken,
        EXISTS (SELECT 1 FROM users WHERE name_key = ?4 AND user_id <> ?1) AS name_taken,
        ", others!(), " AS others_administer");

    /// Who signs in: by e-mail or by name, in lower case.
    BY_LOGIN = "SELECT u.user_id, u.account_id, u.password_hash, u.active,
        a.status AS account_status
      FROM users AS u JOIN accounts AS a ON a.id = u.account_id
      WHERE u.email_key = ?1 OR u.name_key = ?1
      ORDER BY u.email_key = ?1 DESC LIMIT 1";

    /// Whose password is asked for.
    CREDENTIAL = "SELECT u.user_id, u.account_id, u.password_hash, u.active,
        a.status AS account_status
      FROM users AS u JOIN accounts AS a ON a.id = u.account_id WHERE u.user_id = ?1";

    /// Puts another hash of the same password into the place of ?2.
    REHASH = "UPDATE users SET password_hash = ?3 WHERE user_id = ?1 AND password_hash = ?2";

    /// Notes when a user signed in, if the session ?3 of it is there.
    NOTE_SIGN_IN = "UPDATE users SET last_sign_in_at = ?2
      WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM user_sessions WHERE id = ?3 AND user_id = ?1)";
}

/// A user as administrators see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The row's id.
    pub user_id: String,
    /// The account that it belongs to.
    pub account_id: String,
    /// Where it is written to, and what it signs in with.
    pub email: String,
    /// What people call it, and what it may sign in with.
    pub name: String,
    /// `admin`, `user` or `viewer`.
    pub role: String,
    /// Whether it may sign in.
    #[serde(deserialize_with = "flag")]
    pub active: bool,
    /// When its password was last set.
    pub password_changed_at: String,
    /// When it last signed in.
    pub last_sign_in_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Until when no password of it is looked at.
    pub blocked_until: Option<String>,
    /// All of it that administrators change, as one text.
    pub state: String,
}

/// What a password is checked against.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Credential {
    /// The user.
    pub user_id: String,
    /// The account that it belongs to.
    pub account_id: String,
    /// The hash of its password.
    pub password_hash: String,
    /// Whether it may sign in.
    #[serde(deserialize_with = "flag")]
    pub active: bool,
    /// `active` or `suspended`.
    pub account_status: String,
}

/// What stands in the way of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct InTheWay {
    /// Whether the account is there.
    #[serde(deserialize_with = "flag")]
    pub account_exists: bool,
    /// Whether another user has the e-mail.
    #[serde(deserialize_with = "flag")]
    pub email_taken: bool,
    /// Whether another user has the name.
    #[serde(deserialize_with = "flag")]
    pub name_taken: bool,
    /// Whether another user administers the installation.
    #[serde(deserialize_with = "flag")]
    pub others_administer: bool,
}

/// Which users are meant; what is `None` filters nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this account.
    pub account: Option<&'a str>,
    /// Only of this role.
    pub role: Option<&'a str>,
    /// Only those that may sign in, or only the others.
    pub active: Option<bool>,
    /// Only those whose e-mail or name begins so, in lower case.
    pub search: Option<&'a str>,
}

/// A text as it is compared: whoever signs in writes it as they like.
pub fn key(text: &str) -> String {
    text.to_lowercase()
}

/// The user `id`, if it is of `account` or no account is named.
pub async fn find(
    db: &impl Database,
    id: &str,
    account: Option<&str>,
) -> Result<Option<User>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// A page of users, oldest first, and whether there are more behind it.
pub async fn page(
    db: &impl Database,
    filter: Filter<'_>,
    (after, limit): (Option<&str>, u32),
) -> Result<(Vec<User>, bool), DbError> {
    let Filter { account, role, active, search } = filter;
    let statement = PAGE.with(account).with(role).with(active).with(search).with(after);
    let rows = db.query(statement.with(limit.saturating_add(1))).await?;
    super::paging::page_of(&rows, limit)
}

/// The statement that makes a user with this hash of its password.
pub fn create(user: &User, hash: &str) -> Statement {
    settings(CREATE.with(user.user_id.as_str()), user).with(hash)
}

/// The statement that makes the first user of all.
pub fn begin(user: &User, hash: &str) -> Statement {
    settings(BEGIN.with(user.user_id.as_str()), user).with(hash)
}

/// Whether there is any user.
pub async fn any(db: &impl Database) -> Result<bool, DbError> {
    #[derive(Deserialize)]
    struct Any {
        #[serde(deserialize_with = "flag")]
        is_there: bool,
    }
    let any: Option<Any> = db.query(ANY.statement()).await?.first()?;
    Ok(any.is_some_and(|any| any.is_there))
}

/// The statement that changes a user that is still in the state that `user` was read in.
pub fn change(user: &User) -> Statement {
    settings(CHANGE.with(user.user_id.as_str()), user).with(user.state.as_str())
}

/// The statement that gives a user that is still as it was read another password.
pub fn set_password(user: &User, hash: &str, now: &str) -> Statement {
    SET_PASSWORD.with(user.user_id.as_str()).with(hash).with(now).with(user.state.as_str())
}

/// The statement that deletes a user that is still as it was read.
pub fn delete(user: &User) -> Statement {
    DELETE.with(user.user_id.as_str()).with(user.state.as_str())
}

/// What stands in the way of `user`.
pub async fn in_the_way(db: &impl Database, user: &User) -> Result<Option<InTheWay>, DbError> {
    let statement = IN_THE_WAY
        .with(user.user_id.as_str())
        .with(user.account_id.as_str())
        .with(key(&user.email))
        .with(key(&user.name));
    db.query(statement).await?.first()
}

/// Who signs in as `login`, an e-mail or a name.
pub async fn by_login(db: &impl Database, login: &str) -> Result<Option<Credential>, DbError> {
    db.query(BY_LOGIN.with(key(login))).await?.first()
}

/// Whose password is asked for.
pub async fn credential(db: &impl Database, id: &str) -> Result<Option<Credential>, DbError> {
    db.query(CREDENTIAL.with(id)).await?.first()
}

/// The statement that puts a new hash of the same password into the place of an old one.
pub fn rehash(id: &str, old: &str, new: &str) -> Statement {
    REHASH.with(id).with(old).with(new)
}

/// The statement that notes that a user signed in.
pub fn note_sign_in(id: &str, at: &str, session: &str) -> Statement {
    NOTE_SIGN_IN.with(id).with(at).with(session)
}

fn settings(statement: Statement, user: &User) -> Statement {
    statement
        .with(user.account_id.as_str())
        .with(user.email.as_str())
        .with(key(&user.email))
        .with(user.name.as_str())
        .with(key(&user.name))
        .with(user.role.as_str())
        .with(user.active)
}
