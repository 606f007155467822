//! The only reader of credentials: who calls, for which account, with which rights.
//!
//! Several credentials may be sent. Each is checked, one that is wrong refuses the request even
//! beside a right one, and the rights are the union. A secret that is not set refuses its audience.
//! It must never log, return or compare in variable time anything secret.

mod issued;
mod need;

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use engine::admission::KeyFunds;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use worker::send::SendFuture;

use crate::config::{CLIENT_API_KEY, Config, Secret, Secrets, WORKER_SHARED_SECRET};
use crate::error::ApiError;
use crate::rate::Rates;
use crate::request::{RequestContext, is_token};
pub use issued::{IssuedKey, PREFIX as KEY_PREFIX};
pub use need::{Act, Administer, ClientExecute, ClientRead, Need, Operate, WorkerReport};

/// The account that the two bootstrap secrets belong to.
pub const ACCOUNT_DEFAULT: &str = "default";
const WORKER_ID_CHARS_MAX: usize = 64;

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Start executions and act on them.
    Execute,
    /// Read what belongs to the account.
    Read,
    /// Administer the installation.
    Admin,
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

/// Who an endpoint is for: decides how a caller without the right is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Client applications, with `X-API-Key`.
    Client,
    /// Workers, with `Authorization: Bearer` and `X-Worker-ID`.
    Worker,
}

/// Who calls: at least one credential, all of them valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    client: Option<Client>,
    worker_id: Option<String>,
}

/// A client application.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Client {
    /// It has the key that the installation began with.
    Bootstrap,
    /// It has a key that was issued.
    Issued(IssuedKey),
}

/// What of the installation an administrator administers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// All of it: the operator, by the workers' secret or a right within the account `default`.
    Installation,
    /// What belongs to one account.
    Account(&'a str),
}

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

impl Scope {
    /// The word in `api_keys` and in replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Scopes {
    /// The scopes of these words; one that is not known gives no right.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let all = [Scope::Execute, Scope::Read, Scope::Admin];
        let known = words.into_iter().filter_map(|word| all.iter().find(|s| s.as_str() == word));
        Self::of(known.copied())
    }

    /// Whether `scope` is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl Audience {
    /// Every audience.
    pub const ALL: [Self; 2] = [Self::Client, Self::Worker];

    /// The name of the secret that this audience needs, and the secret if it is set.
    pub fn secret(self, secrets: &Secrets) -> (&'static str, Option<&Secret>) {
        match self {
            Self::Client => (CLIENT_API_KEY, secrets.client_api_key.as_ref()),
            Self::Worker => (WORKER_SHARED_SECRET, secrets.worker_shared_secret.as_ref()),
        }
    }
}

impl Caller {
    /// The tenant whose rows the caller sees. A client's key names it; workers are the
    /// installation's own.
    pub fn account(&self) -> &str {
        match &self.client {
            Some(Client::Issued(key)) => &key.account,
            Some(Client::Bootstrap) | None => ACCOUNT_DEFAULT,
        }
    }

    /// The budget that executions of the caller count against, besides the account's.
    pub fn key_budget(&self) -> Option<&KeyFunds> {
        match &self.client {
            Some(Client::Issued(key)) => Some(&key.budget),
            Some(Client::Bootstrap) | None => None,
        }
    }

    /// Whether the caller has the secret that the installation shares with its workers.
    pub fn is_worker(&self) -> bool {
        self.worker_id.is_some()
    }

    /// What the caller administers, where the endpoint demands that right.
    pub fn reach(&self) -> Reach<'_> {
        match self.account() {
            _ if self.worker_id.is_some() => Reach::Installation,
            ACCOUNT_DEFAULT => Reach::Installation,
            account => Reach::Account(account),
        }
    }

    /// The caller as the audit log names it: what it is, and which.
    pub fn actor(&self) -> (&'static str, &str) {
        match (&self.client, &self.worker_id) {
            (_, Some(worker)) => ("worker", worker),
            (Some(Client::Issued(key)), None) => ("api_key", &key.id),
            (Some(Client::Bootstrap), None) => ("api_key", "bootstrap"),
            (None, None) => ("system", "nobody"),
        }
    }

    /// How the journal names the caller: `key:<id>` or `worker:<id>`.
    pub fn name(&self) -> String {
        match (&self.client, &self.worker_id) {
            (Some(Client::Issued(key)), _) => format!("key:{}", key.id),
            (Some(Client::Bootstrap), _) => "key:bootstrap".to_owned(),
            (None, Some(_)) => self.worker_name(),
            (None, None) => "nobody".to_owned(),
        }
    }

    /// How the journal names the caller as a worker.
    pub fn worker_name(&self) -> String {
        format!("worker:{}", self.worker_id.as_deref().unwrap_or_default())
    }

    /// How many requests a minute it may make; `None` for as many as it likes. [`Self::name`] is
    /// whom they are counted for.
    pub fn rate(&self, rates: &Rates) -> Option<u32> {
        match (&self.client, &self.worker_id) {
            (Some(Client::Issued(key)), _) => key.rate_per_minute.or(rates.keys),
            (Some(Client::Bootstrap), _) => rates.bootstrap,
            (None, Some(_)) => rates.workers,
            (None, None) => rates.anonymous,
        }
    }

    /// Everything that the credentials together allow.
    pub fn scopes(&self) -> Scopes {
        let client = match &self.client {
            Some(Client::Bootstrap) => Scopes::of([Scope::Execute, Scope::Read]),
            Some(Client::Issued(key)) => key.scopes,
            None => Scopes::default(),
        };
        let worker = self
            .worker_id
            .as_ref()
            .map_or(Scopes::default(), |_| Scopes::of([Scope::Read, Scope::Admin]));
        Scopes(client.0 | worker.0)
    }

    /// The rights that the caller may give to others: its own, and the operator all of them.
    pub fn grants(&self) -> Scopes {
        match self.worker_id {
            Some(_) => Scopes::of([Scope::Execute, Scope::Read, Scope::Admin]),
            None => self.scopes(),
        }
    }

    /// Refuses a caller without the right that an endpoint takes.
    fn permit<N: Need>(caller: Option<&Self>) -> Result<(), ApiError> {
        if caller.is_some_and(N::permits) {
            return Ok(());
        }
        let shown = caller.filter(|caller| match N::AUDIENCE {
            Audience::Client => caller.client.is_some(),
            Audience::Worker => caller.worker_id.is_some() || N::KEYS_SERVE,
        });
        match (shown, N::AUDIENCE) {
            (Some(caller), _) => Err(N::refusal(caller)),
            (None, Audience::Client) => Err(ApiError::ApiKeyRequired),
            (None, Audience::Worker) => Err(ApiError::WorkerRequired),
        }
    }
}

impl Identity {
    /// Checks every credential that was sent.
    pub async fn of(context: &RequestContext, headers: &HeaderMap) -> Self {
        Self(Arc::new(Mutex::new(Some(identify(context, headers).await))))
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
        caller.worker_id = Some(check_worker(secrets, authorization.as_bytes(), id)?);
    }
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

fn check_worker(
    secrets: &Secrets,
    authorization: &[u8],
    worker_id: Option<&[u8]>,
) -> Result<String, ApiError> {
    let refuse = |message| ApiError::WorkerInvalid { message };
    let secret = configured(secrets, Audience::Worker)?;
    let token = bearer(authorization).ok_or(refuse("Authorization must read: Bearer <secret>"))?;
    if !equal(&Sha256::digest(token), secret) {
        return Err(refuse("The bearer token is not valid"));
    }
    let id = worker_id.ok_or(refuse("X-Worker-ID is missing"))?;
    let fits = (1..=WORKER_ID_CHARS_MAX).contains(&id.len()) && id.iter().all(|b| is_token(*b));
    if !fits {
        return Err(refuse("X-Worker-ID must be 1 to 64 token characters"));
    }
    Ok(String::from_utf8_lossy(id).into_owned())
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
