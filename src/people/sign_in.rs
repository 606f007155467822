//! A sign-in: the attempt is counted, the password is checked, and a session begins.

use engine::plan::Violation;
use engine::time::Millis;
use uuid::Uuid;

use super::lockout::{Taken, subject_of_address, subject_of_name, subject_of_user, take_attempt};
use super::{password, refresh, refuse_blocked};
use crate::auth::token::Checked;
use crate::auth::{Person, token};
use crate::clock::now;
use crate::config::SECRET_KEY;
use crate::db::sessions::{self, Span};
use crate::db::sign_in_attempts;
use crate::db::users::{self, Credential};
use crate::db::{D1, Database, Statement, iso};
use crate::error::{ApiError, SignInFault};
use crate::request::RequestContext;
use crate::security::{self, Event, Kind};

/// How long a session lasts, however often it is refreshed.
const SESSION: Millis = Millis::from_secs(90 * 86_400);
/// The most sessions of one user that go on at a time; the oldest make room.
const SESSIONS_MAX: u32 = 50;

/// Who wants to sign in.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    /// Its e-mail or its name.
    pub login: &'a str,
    /// Its password.
    pub password: &'a str,
    /// Where it is, if the platform says.
    pub address: Option<&'a str>,
}

/// What a client goes on with.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// What it sends with each request.
    pub access: String,
    /// What it gets the next ones for.
    pub refresh: String,
}

/// Signs a person in.
pub async fn sign_in(context: &RequestContext, wanted: SignIn<'_>) -> Result<Tokens, ApiError> {
    let SignIn { login, password, address } = wanted;
    let key = context.config().secrets.secret_key.as_ref();
    let key = key.ok_or(ApiError::AuthNotConfigured { secret: SECRET_KEY })?;
    let (db, now) = (context.database()?, now());
    let known = users::by_login(&db, login).await?;
    let who = known.as_ref().map(|it| subject_of_user(&it.user_id));
    let who = who.unwrap_or_else(|| subject_of_name(key, login));
    let taken = take_attempt(&db, &who, address, now).await?;
    let failed = |kind, reason| failure(kind, known.as_ref(), (&who, address), reason);
    let blocked_next = match refuse_blocked(taken.counted, now) {
        Ok(end) => end,
        Err(error) => {
            security::note(context, failed(Kind::SignInFailed, "blocked"));
            return Err(error);
        }
    };
    let cost = context.config().bcrypt_cost;
    let hash = known.as_ref().map(|it| it.password_hash.as_str());
    let passed = password::check(password, hash, cost);
    let Some(user) = known.as_ref().filter(|user| passed && user.active) else {
        let reason = match &known {
            Some(user) if passed && !user.active => "not active",
            Some(_) => "wrong password",
            None => "unknown name",
        };
        security::note(context, failed(Kind::SignInFailed, reason));
        if blocked_next.is_some() {
            security::note(context, failed(Kind::LockedOut, "too many failures"));
        }
        return Err(SignInFault::Refused.into());
    };
    let attempt = Attempt { taken: &taken, who: &who, address };
    if user.account_status != "active" {
        db.batch(attempt.forgotten()).await?;
        return Err(ApiError::AccountSuspended);
    }
    let (session, first) = (Uuid::now_v7().to_string(), refresh::fresh());
    let rehashed = match password::is_cheap(&user.password_hash, cost) {
        true => Some(password::hash(password, cost)?),
        false => None,
    };
    let span = Span { from: now, until: now.plus(SESSION) };
    let mut batch = vec![sessions::begin(&session, &user.user_id, span, &user.password_hash)];
    let life = Span { from: now, until: now.plus(refresh::LIFETIME) };
    batch.push(sessions::first_token(&refresh::hash(&first), &session, life));
    batch.push(users::note_sign_in(&user.user_id, &iso(now), &session));
    batch.extend(rehashed.map(|new| users::rehash(&user.user_id, &user.password_hash, &new)));
    batch.push(sessions::end_surplus(&user.user_id, now, SESSIONS_MAX));
    batch.extend(attempt.forgotten());
    if !begins(&db, batch, &session).await? {
        // The password or the user was changed while this one was looked at.
        return Err(SignInFault::Refused.into());
    }
    security::note(context, signed_in(user, address));
    let who = Checked { user_id: user.user_id.clone(), session_id: session };
    Ok(Tokens { access: token::issue(key, &who, now), refresh: first })
}

/// Whether somebody who has signed in knows the password, too; a wrong one counts as a failure.
pub async fn confirm(
    context: &RequestContext,
    person: &Person,
    address: Option<&str>,
    text: &str,
) -> Result<(), ApiError> {
    let (db, now) = (context.database()?, now());
    let who = subject_of_user(&person.user_id);
    let taken = take_attempt(&db, &who, address, now).await?;
    let blocked_next = refuse_blocked(taken.counted, now)?;
    let known = users::credential(&db, &person.user_id).await?;
    let hash = known.as_ref().map(|it| it.password_hash.as_str());
    if password::check(text, hash, context.config().bcrypt_cost) {
        db.batch(Attempt { taken: &taken, who: &who, address }.forgotten()).await?;
        return Ok(());
    }
    let failed = |kind, reason| failure(kind, known.as_ref(), (&who, address), reason);
    security::note(context, failed(Kind::SignInFailed, "wrong current password"));
    if blocked_next.is_some() {
        security::note(context, failed(Kind::LockedOut, "too many failures"));
    }
    let (pointer, code) = ("/current_password".to_owned(), "password.wrong".to_owned());
    let message = "is not the password".to_owned();
    Err(ApiError::RequestInvalid(vec![Violation { pointer, code, message }]))
}

/// An attempt that turned out well.
struct Attempt<'a> {
    taken: &'a Taken,
    who: &'a str,
    address: Option<&'a str>,
}

impl Attempt<'_> {
    fn forgotten(&self) -> Vec<Statement> {
        let mut statements = vec![sign_in_attempts::clear(self.who)];
        let taken_back = |it| sign_in_attempts::take_back(&subject_of_address(it), &self.taken.id);
        statements.extend(self.address.map(taken_back));
        statements
    }
}

async fn begins(db: &D1, mut batch: Vec<Statement>, session: &str) -> Result<bool, ApiError> {
    batch.push(sessions::begun(session));
    let results = db.batch(batch).await?;
    let begun: Option<Option<serde_json::Value>> =
        results.last().map(crate::db::Rows::first).transpose()?;
    Ok(begun.flatten().is_some())
}

/// A failure, for the log: of a name that nobody has, only its keyed digest.
fn failure(
    kind: Kind,
    known: Option<&Credential>,
    (who, address): (&str, Option<&str>),
    reason: &'static str,
) -> Event {
    Event {
        kind,
        account: known.map(|user| user.account_id.clone()),
        actor: ("system".to_owned(), "nobody".to_owned()),
        subject: known.map_or_else(|| who.to_owned(), |user| user.user_id.clone()),
        address: address.map(str::to_owned),
        reason,
    }
}

fn signed_in(user: &Credential, address: Option<&str>) -> Event {
    Event {
        kind: Kind::SignedIn,
        account: Some(user.account_id.clone()),
        actor: ("user".to_owned(), user.user_id.clone()),
        subject: user.user_id.clone(),
        address: address.map(str::to_owned),
        reason: "password",
    }
}
