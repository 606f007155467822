//! The only reader of credentials: who calls, for which account, with which rights.
//!
//! Several credentials may be sent. Each is checked, one that is wrong refuses the request even
//! beside a right one, and the rights are the union. A secret that is not set refuses its audience.
//! It must never log, return or compare in variable time anything secret.

mod caller;
mod direct;
mod events;
mod issued;
mod need;
mod person;
mod scope;
pub mod token;
mod words;

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use worker::send::SendFuture;

use crate::config::{Config, Secret, Secrets};
use crate::error::ApiError;
use crate::request::{RequestContext, is_token};
use caller::Client;
pub use caller::{Audience, Caller, Reach};
pub use direct::{authorize, has_credential, headers_of};
pub use issued::{IssuedKey, PREFIX as KEY_PREFIX};
pub use need::{
    Act, Administer, ClientExecute, ClientRead, Install, Need, Operate, SignedIn, WorkerReport,
};
pub use person::Person;
pub use scope::{Role, Scope, Scopes};

/// The account that the two bootstrap secrets belong to.
pub const ACCOUNT_DEFAULT: &str = "default";
/// What every refresh token begins with, so that nobody takes one for anything else.
pub const REFRESH_PREFIX: &str = "bwr_";
const WORKER_ID_CHARS_MAX: usize = 64;

/// A caller who may do what `N` asks for.
pub struct Authorized<N> {
    /// Who it is.
    pub caller: Caller,
    need: PhantomData<N>,
}

/// What the credentials of a request came to, found once for everything that asks.
#[derive(Clone)]
pub struct Identity(Arc<Mutex<Option<Found>>>);

type Found = Result<Option<Caller>, ApiError>;

/// A caller of a public endpoint, who may have shown credentials.
pub struct Anyone(pub Option<Caller>);

impl Identity {
    /// Checks every credential that was sent.
    pub async fn of(context: &RequestContext, headers: &HeaderMap) -> Self {
        let found = identify(context, headers).await;
        if let Err(error) = &found {
            events::refused(context, headers, error);
        }
        Self(Arc::new(Mutex::new(Some(found))))
    }

    /// Who calls; `None` without a credential, and where one of them is not valid.
    pub fn caller(&self) -> Option<Caller> {
        let found = self.0.lock().expect("no holder of an identity panics");
        found.as_ref()?.as_ref().ok()?.clone()
    }

    fn take(&self) -> Option<Found> {
        self.0.lock().expect("no holder of an identity panics").take()
    }
}

/// Who calls, as it was found before, or is found now.
async fn found(parts: &Parts, context: &RequestContext) -> Found {
    match parts.extensions.get::<Identity>().and_then(Identity::take) {
        Some(found) => found,
        None => SendFuture::new(identify(context, &parts.headers)).await,
    }
}

impl<S: Sync, N: Need> FromRequestParts<S> for Authorized<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let caller = found(parts, &context).await?;
        let permitted = Caller::permit::<N>(caller.as_ref());
        if let (Err(error), Some(caller)) = (&permitted, &caller) {
            events::violated(&context, &parts.headers, caller, error);
        }
        if permitted.is_err() {
            configured(&context.config().secrets, N::AUDIENCE)?;
        }
        permitted?;
        refuse_invalid(context.config())?;
        let caller = caller.expect("nobody is permitted without credentials");
        context.note(|notes| notes.account = Some(caller.account().to_owned()));
        Ok(Self { caller, need: PhantomData })
    }
}

impl<S: Sync> FromRequestParts<S> for Anyone {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let caller = found(parts, &context).await?;
        if let Some(caller) = &caller {
            context.note(|notes| notes.account = Some(caller.account().to_owned()));
        }
        Ok(Self(caller))
    }
}

/// Checks every credential that was sent; `None` when there is none.
async fn identify(
    context: &RequestContext,
    headers: &HeaderMap,
) -> Result<Option<Caller>, ApiError> {
    let secrets = &context.config().secrets;
    let mut caller = Caller::default();
    if let Some(key) = headers.get("x-api-key") {
        caller.client = Some(match check_key(secrets, key.as_bytes())? {
            KeyCheck::Bootstrap => Client::Bootstrap,
            KeyCheck::LookUp(digest) => Client::Issued(issued::find(context, digest).await?),
        });
    }
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let id = headers.get("x-worker-id").map(|value| value.as_bytes());
        match check_bearer(secrets, authorization.as_bytes(), id)? {
            BearerCheck::Worker(id) => caller.worker_id = Some(id),
            BearerCheck::Token(token) => caller.person = Some(person::find(context, token).await?),
        }
    }
    let caller = caller.of_one_account()?;
    Ok((caller != Caller::default()).then_some(caller))
}

enum KeyCheck {
    Bootstrap,
    LookUp([u8; 32]),
}

fn check_key(secrets: &Secrets, key: &[u8]) -> Result<KeyCheck, ApiError> {
    let secret = configured(secrets, Audience::Client)?;
    let digest = Sha256::digest(key);
    if equal(&digest, secret) {
        return Ok(KeyCheck::Bootstrap);
    }
    if issued::has_form(key) {
        return Ok(KeyCheck::LookUp(digest.into()));
    }
    Err(ApiError::ApiKeyInvalid)
}

enum BearerCheck<'a> {
    /// The worker of this name.
    Worker(String),
    /// Whoever this token stands for, if it holds.
    Token(&'a [u8]),
}

/// The secret of the workers, or the token of a person: what has the form of one and is not the
/// secret.
fn check_bearer<'a>(
    secrets: &Secrets,
    authorization: &'a [u8],
    worker_id: Option<&[u8]>,
) -> Result<BearerCheck<'a>, ApiError> {
    let refuse = |message| ApiError::WorkerInvalid { message };
    let sent = bearer(authorization);
    let digest = Sha256::digest(sent.unwrap_or_default());
    let secret = configured(secrets, Audience::Worker);
    let matches = secret.as_ref().is_ok_and(|secret| equal(&digest, secret));
    if let Some(token) = sent.filter(|token| !matches && token::is_meant(token)) {
        return Ok(BearerCheck::Token(token));
    }
    secret?;
    if sent.is_none() {
        return Err(refuse("Authorization must read: Bearer <secret>"));
    }
    if !matches {
        return Err(refuse("The bearer token is not valid"));
    }
    let id = worker_id.ok_or(refuse("X-Worker-ID is missing"))?;
    let fits = (1..=WORKER_ID_CHARS_MAX).contains(&id.len()) && id.iter().all(|b| is_token(*b));
    if !fits {
        return Err(refuse("X-Worker-ID must be 1 to 64 token characters"));
    }
    Ok(BearerCheck::Worker(String::from_utf8_lossy(id).into_owned()))
}

fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Compares digests, so that neither content nor length shows in the time it takes.
fn equal(digest: &[u8], secret: &Secret) -> bool {
    digest.ct_eq(Sha256::digest(secret.reveal()).as_slice()).into()
}

/// The secret of an audience; without it the audience is refused.
fn configured(secrets: &Secrets, audience: Audience) -> Result<&Secret, ApiError> {
    let (name, secret) = audience.secret(secrets);
    secret.ok_or(ApiError::AuthNotConfigured { secret: name })
}

fn refuse_invalid(config: &Config) -> Result<(), ApiError> {
    match config.invalid.as_slice() {
        [] => Ok(()),
        variables => Err(ApiError::ConfigInvalid { variables: variables.to_vec() }),
    }
}

#[cfg(test)]
pub mod tests;
