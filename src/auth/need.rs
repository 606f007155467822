//! What endpoints ask of their callers. It must read no credential: that is done before.

use super::{Audience, Caller, Reach, Scope};
use crate::error::ApiError;

/// What an endpoint asks of its caller.
pub trait Need {
    /// Who the endpoint is for.
    const AUDIENCE: Audience;
    /// The right that it takes.
    const SCOPE: Scope;

    /// Whether a client's key, or a person, may serve where workers are asked for.
    const KEYS_SERVE: bool = false;

    /// Whether `caller` may.
    fn permits(caller: &Caller) -> bool {
        caller.scopes().contains(Self::SCOPE)
    }

    /// How a caller is refused whose credentials are of the audience and do not allow it.
    fn refusal(_caller: &Caller) -> ApiError {
        ApiError::ScopeMissing { scope: Self::SCOPE.as_str() }
    }
}

/// A client that may start executions.
pub struct ClientExecute;

/// A client that may read its account's rows.
pub struct ClientRead;

/// Whoever may act on the executions of an account: a client that may start them, or a worker.
pub struct Act;

/// A worker, which reports of its own attempts.
pub struct WorkerReport;

/// Whoever administers: a worker, or a key or a person with the scope `admin`. What of the
/// installation it may see and change, [`Caller::reach`] says.
pub struct Administer;

/// The operator of the installation: a worker, or a key or a person of the account `default` with
/// the scope `admin`.
pub struct Operate;

/// Whoever sets up the installation: a worker.
pub struct Install;

/// A person who signed in.
pub struct SignedIn;

impl Need for ClientExecute {
    const AUDIENCE: Audience = Audience::Client;
    const SCOPE: Scope = Scope::Execute;
}

impl Need for ClientRead {
    const AUDIENCE: Audience = Audience::Client;
    const SCOPE: Scope = Scope::Read;
}

impl Need for Act {
    const AUDIENCE: Audience = Audience::Client;
    const SCOPE: Scope = Scope::Execute;

    fn permits(caller: &Caller) -> bool {
        caller.worker_id.is_some() || caller.scopes().contains(Self::SCOPE)
    }
}

impl Need for WorkerReport {
    const AUDIENCE: Audience = Audience::Worker;
    const SCOPE: Scope = Scope::Read;

    fn permits(caller: &Caller) -> bool {
        caller.worker_id.is_some()
    }
}

impl Need for Administer {
    const AUDIENCE: Audience = Audience::Worker;
    const SCOPE: Scope = Scope::Admin;
    const KEYS_SERVE: bool = true;
}

impl Need for Operate {
    const AUDIENCE: Audience = Audience::Worker;
    const SCOPE: Scope = Scope::Admin;
    const KEYS_SERVE: bool = true;

    fn permits(caller: &Caller) -> bool {
        Administer::permits(caller) && caller.reach() == Reach::Installation
    }

    fn refusal(caller: &Caller) -> ApiError {
        match caller.scopes().contains(Self::SCOPE) {
            true => ApiError::OperatorRequired,
            false => Administer::refusal(caller),
        }
    }
}

impl Need for Install {
    const AUDIENCE: Audience = Audience::Worker;
    const SCOPE: Scope = Scope::Admin;

    fn permits(caller: &Caller) -> bool {
        caller.worker_id.is_some()
    }
}

impl Need for SignedIn {
    const AUDIENCE: Audience = Audience::Person;
    const SCOPE: Scope = Scope::Read;

    fn permits(caller: &Caller) -> bool {
        caller.person.is_some()
    }
}
