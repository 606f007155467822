//! Who calls, and what of the installation is theirs. It must read no credential: that is done
//! before.

use engine::admission::KeyFunds;

use super::need::Need;
use super::scope::{Scope, Scopes};
use super::{ACCOUNT_DEFAULT, IssuedKey, Person};
use crate::config::{CLIENT_API_KEY, SECRET_KEY, Secret, Secrets, WORKER_SHARED_SECRET};
use crate::error::{ApiError, SignInFault};
use crate::rate::Rates;

/// Who an endpoint is for: decides how a caller without the right is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Client applications, with `X-API-Key`, and people.
    Client,
    /// Workers, with `Authorization: Bearer` and `X-Worker-ID`.
    Worker,
    /// People, with the token of their sign-in.
    Person,
}

/// Who calls: at least one credential, all of them valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    pub(super) client: Option<Client>,
    pub(super) person: Option<Person>,
    pub(super) worker_id: Option<String>,
}

/// A client application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Client {
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

impl Audience {
    /// Every audience.
    pub const ALL: [Self; 3] = [Self::Client, Self::Worker, Self::Person];

    /// The name of the secret that this audience needs, and the secret if it is set.
    pub fn secret(self, secrets: &Secrets) -> (&'static str, Option<&Secret>) {
        match self {
            Self::Client => (CLIENT_API_KEY, secrets.client_api_key.as_ref()),
            Self::Worker => (WORKER_SHARED_SECRET, secrets.worker_shared_secret.as_ref()),
            Self::Person => (SECRET_KEY, secrets.secret_key.as_ref()),
        }
    }
}

impl Caller {
    /// The tenant whose rows the caller sees. A client's key or a person names it; workers are the
    /// installation's own.
    pub fn account(&self) -> &str {
        match (&self.client, &self.person) {
            (Some(Client::Issued(key)), _) => &key.account,
            (Some(Client::Bootstrap), _) => ACCOUNT_DEFAULT,
            (None, Some(person)) => &person.account,
            (None, None) => ACCOUNT_DEFAULT,
        }
    }

    /// The person who signed in, if one did.
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
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

    /// The caller as the audit log names it: what it is, and which. A person answers for what a
    /// program does in its name.
    pub fn actor(&self) -> (&'static str, &str) {
        match (&self.worker_id, &self.person, &self.client) {
            (Some(worker), _, _) => ("worker", worker),
            (None, Some(person), _) => ("user", &person.user_id),
            (None, None, Some(Client::Issued(key))) => ("api_key", &key.id),
            (None, None, Some(Client::Bootstrap)) => ("api_key", "bootstrap"),
            (None, None, None) => ("system", "nobody"),
        }
    }

    /// How the journal names the caller: `user:<id>`, `key:<id>` or `worker:<id>`.
    pub fn name(&self) -> String {
        match (&self.person, &self.client, &self.worker_id) {
            (Some(person), _, _) => format!("user:{}", person.user_id),
            (None, Some(Client::Issued(key)), _) => format!("key:{}", key.id),
            (None, Some(Client::Bootstrap), _) => "key:bootstrap".to_owned(),
            (None, None, Some(_)) => self.worker_name(),
            (None, None, None) => "nobody".to_owned(),
        }
    }

    /// How the journal names the caller as a worker.
    pub fn worker_name(&self) -> String {
        format!("worker:{}", self.worker_id.as_deref().unwrap_or_default())
    }

    /// How many requests a minute it may make; `None` for as many as it likes. [`Self::name`] is
    /// whom they are counted for.
    pub fn rate(&self, rates: &Rates) -> Option<u32> {
        match (&self.person, &self.client, &self.worker_id) {
            (_, Some(Client::Issued(key)), _) => key.rate_per_minute.or(rates.keys),
            (Some(_), _, _) => rates.keys,
            (None, Some(Client::Bootstrap), _) => rates.bootstrap,
            (None, None, Some(_)) => rates.workers,
            (None, None, None) => rates.anonymous,
        }
    }

    /// Everything that the credentials together allow.
    pub fn scopes(&self) -> Scopes {
        let client = match &self.client {
            Some(Client::Bootstrap) => Scopes::of([Scope::Execute, Scope::Read]),
            Some(Client::Issued(key)) => key.scopes,
            None => Scopes::default(),
        };
        let person = self.person.as_ref().map_or(Scopes::default(), |it| it.role.scopes());
        let worker = self
            .worker_id
            .as_ref()
            .map_or(Scopes::default(), |_| Scopes::of([Scope::Read, Scope::Admin]));
        client.union(person).union(worker)
    }

    /// The rights that the caller may give to others: its own, and the operator all of them.
    pub fn grants(&self) -> Scopes {
        match self.worker_id {
            Some(_) => Scopes::of([Scope::Execute, Scope::Read, Scope::Admin]),
            None => self.scopes(),
        }
    }

    /// Refuses credentials of two accounts: rights within one must not become rights within the
    /// other.
    pub(super) fn of_one_account(self) -> Result<Self, ApiError> {
        let person = self.person.as_ref().map(|person| person.account.as_str());
        match person {
            Some(account) if account != self.account() => Err(SignInFault::AccountsDiffer.into()),
            Some(_) | None => Ok(self),
        }
    }

    /// Refuses a caller without the right that an endpoint takes.
    pub(super) fn permit<N: Need>(caller: Option<&Self>) -> Result<(), ApiError> {
        if caller.is_some_and(N::permits) {
            return Ok(());
        }
        let shown = caller.filter(|caller| match N::AUDIENCE {
            Audience::Client => caller.client.is_some() || caller.person.is_some(),
            Audience::Worker => caller.worker_id.is_some() || N::KEYS_SERVE,
            Audience::Person => caller.person.is_some(),
        });
        match (shown, N::AUDIENCE) {
            (Some(caller), _) => Err(N::refusal(caller)),
            (None, Audience::Client) => Err(ApiError::ApiKeyRequired),
            (None, Audience::Worker) => Err(ApiError::WorkerRequired),
            (None, Audience::Person) => Err(SignInFault::TokenRequired.into()),
        }
    }
}
