//! Credentials: which are accepted, what they allow, and how the others are refused.

use axum::http::HeaderMap;

use super::*;
use crate::config::{CLIENT_API_KEY, WORKER_SHARED_SECRET};
use crate::rate::Rates;

fn secrets() -> Secrets {
    let config = Config::read(|name| match name {
        CLIENT_API_KEY => Some("client-key".to_owned()),
        WORKER_SHARED_SECRET => Some("worker-secret".to_owned()),
        _ => None,
    });
    config.secrets
}

fn context(secrets: Secrets) -> RequestContext {
    let config = Config { secrets, ..Config::read(|_| None) };
    let deployment = crate::request::Deployment {
        config: std::sync::Arc::new(config),
        bindings: crate::bindings::Bindings::none(),
        invocation: None,
    };
    RequestContext::new(&HeaderMap::new(), deployment)
}

async fn who(secrets: Secrets, pairs: &[(&'static str, &str)]) -> Result<Option<Caller>, u16> {
    let headers = pairs
        .iter()
        .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
        .collect();
    identify(&context(secrets), &headers).await.map_err(|error| error.code().status().as_u16())
}

const KEY: (&str, &str) = ("x-api-key", "client-key");
const BEARER: (&str, &str) = ("authorization", "Bearer worker-secret");
const ID: (&str, &str) = ("x-worker-id", "worker_1");

#[tokio::test]
async fn each_credential_gives_its_rights_and_both_the_union() {
    let client = who(secrets(), &[KEY]).await.unwrap().unwrap();
    assert!(client.scopes().contains(Scope::Execute) && client.scopes().contains(Scope::Read));
    assert!(!client.scopes().contains(Scope::Admin));
    let worker = who(secrets(), &[BEARER, ID]).await.unwrap().unwrap();
    assert!(worker.scopes().contains(Scope::Admin) && !worker.scopes().contains(Scope::Execute));
    let both = who(secrets(), &[KEY, BEARER, ID]).await.unwrap().unwrap();
    for scope in [Scope::Execute, Scope::Read, Scope::Admin] {
        assert!(both.scopes().contains(scope), "{scope:?}");
    }
    assert_eq!(both.account(), ACCOUNT_DEFAULT);
    assert_eq!(who(secrets(), &[]).await, Ok(None));
    assert_eq!(who(secrets(), &[ID]).await, Ok(None), "an id alone is no credential");
}

#[tokio::test]
async fn an_invalid_credential_is_refused_even_beside_a_valid_one() {
    for pairs in [
        &[("x-api-key", "wrong")][..],
        &[("x-api-key", "")],
        &[("x-api-key", "worker-secret")],
        &[("x-api-key", "client-key"), ("authorization", "Bearer wrong"), ID],
        &[("x-api-key", "wrong"), BEARER, ID],
        &[("authorization", "worker-secret"), ID],
        &[("authorization", "Basic worker-secret"), ID],
        &[("authorization", "Bearer "), ID],
        &[("authorization", "Bearer client-key"), ID],
        &[BEARER],
        &[BEARER, ("x-worker-id", "")],
        &[BEARER, ("x-worker-id", "a b")],
        &[
            BEARER,
            ("x-worker-id", "12345678901234567890123456789012345678901234567890123456789012345"),
        ],
    ] {
        assert_eq!(who(secrets(), pairs).await, Err(401), "{pairs:?}");
    }
}

#[tokio::test]
async fn a_missing_secret_refuses_its_audience_and_no_other() {
    let no_client = Secrets { client_api_key: None, ..secrets() };
    assert_eq!(who(no_client.clone(), &[KEY]).await, Err(503));
    assert_eq!(who(no_client.clone(), &[("x-api-key", "")]).await, Err(503));
    assert!(who(no_client.clone(), &[BEARER, ID]).await.is_ok());
    assert!(configured(&no_client, Audience::Client).is_err());
    assert!(configured(&no_client, Audience::Worker).is_ok());
    let no_worker = Secrets { worker_shared_secret: None, ..secrets() };
    assert_eq!(who(no_worker, &[BEARER, ID]).await, Err(503));
}

#[test]
fn who_lacks_a_right_is_told_what_to_bring() {
    fn code<N: Need>(caller: Option<&Caller>) -> Result<(), &'static str> {
        Caller::permit::<N>(caller).map_err(|error| error.code().as_str())
    }
    let read_only = issued("acme", &["read", "unknown"]);
    let worker = Caller { worker_id: Some("w".into()), ..Caller::default() };
    assert_eq!(read_only.account(), "acme");
    assert_eq!(code::<ClientRead>(Some(&read_only)), Ok(()));
    assert_eq!(code::<ClientExecute>(Some(&read_only)), Err("auth.scope_missing"));
    assert_eq!(code::<ClientExecute>(Some(&worker)), Err("auth.key_required"));
    assert_eq!(code::<ClientExecute>(None), Err("auth.key_required"));
    assert_eq!(code::<Act>(Some(&read_only)), Err("auth.scope_missing"));
    assert_eq!(code::<Act>(Some(&worker)), Ok(()));
    assert_eq!(code::<Act>(None), Err("auth.key_required"));
    assert_eq!(code::<WorkerReport>(None), Err("auth.worker_required"));
    assert_eq!(code::<WorkerReport>(Some(&read_only)), Err("auth.worker_required"));
    assert_eq!(code::<WorkerReport>(Some(&worker)), Ok(()));
    assert_eq!((read_only.name(), worker.name()), ("key:k".to_owned(), "worker:w".to_owned()));
    let bootstrap = Caller {
        client: Some(Client::Bootstrap),
        worker_id: Some("w".into()),
        ..Caller::default()
    };
    assert_eq!(bootstrap.name(), "key:bootstrap");
    assert_eq!(bootstrap.worker_name(), "worker:w");
}

#[test]
fn only_the_operator_operates_and_others_are_told_so() {
    fn code<N: Need>(caller: Option<&Caller>) -> Result<(), &'static str> {
        Caller::permit::<N>(caller).map_err(|error| error.code().as_str())
    }
    let worker = Caller { worker_id: Some("w".into()), ..Caller::default() };
    let both = Caller { worker_id: Some("w".into()), ..issued("acme", &["read"]) };
    for operator in [worker, both, issued(ACCOUNT_DEFAULT, &["admin"])] {
        assert_eq!(operator.reach(), Reach::Installation);
        assert_eq!(code::<Operate>(Some(&operator)), Ok(()), "{operator:?}");
    }
    let theirs = issued("acme", &["read", "execute", "admin"]);
    assert_eq!(theirs.reach(), Reach::Account("acme"));
    assert_eq!(code::<Administer>(Some(&theirs)), Ok(()));
    assert_eq!(code::<Operate>(Some(&theirs)), Err("auth.operator_required"));
    let bootstrap = Caller { client: Some(Client::Bootstrap), ..Caller::default() };
    for caller in [bootstrap, issued(ACCOUNT_DEFAULT, &["read"]), issued("acme", &["execute"])] {
        assert_eq!(code::<Operate>(Some(&caller)), Err("auth.scope_missing"), "{caller:?}");
        assert_eq!(code::<Administer>(Some(&caller)), Err("auth.scope_missing"), "{caller:?}");
    }
    assert_eq!(code::<Operate>(None), Err("auth.worker_required"));
}

/// The operator, by the workers' secret.
pub fn operator() -> Caller {
    Caller { worker_id: Some("operator".into()), ..Caller::default() }
}

/// A client with an issued key.
pub fn issued(account: &str, scopes: &[&str]) -> Caller {
    let key = IssuedKey {
        id: "k".into(),
        account: account.into(),
        scopes: Scopes::parse(scopes.iter().copied()),
        expires_at: None,
        rate_per_minute: None,
        budget: engine::admission::KeyFunds::default(),
    };
    Caller { client: Some(Client::Issued(key)), ..Caller::default() }
}

#[test]
fn secrets_are_compared_whole() {
    let secret = secrets().client_api_key.unwrap();
    assert!(equal(&Sha256::digest("client-key"), &secret));
    for wrong in ["client-ke", "client-key ", "Client-key", ""] {
        assert!(!equal(&Sha256::digest(wrong), &secret), "{wrong}");
    }
}

/// A person of an account.
pub fn person(account: &str, role: Role) -> Caller {
    let person =
        Person { user_id: "u".into(), account: account.into(), role, session_id: "s".into() };
    Caller { person: Some(person), ..Caller::default() }
}

#[test]
fn a_person_goes_where_a_key_goes_and_answers_for_itself() {
    fn code<N: Need>(caller: &Caller) -> Result<(), &'static str> {
        Caller::permit::<N>(Some(caller)).map_err(|error| error.code().as_str())
    }
    let (viewer, admin) = (person("acme", Role::Viewer), person(ACCOUNT_DEFAULT, Role::Admin));
    assert_eq!(viewer.account(), "acme");
    assert_eq!((viewer.name(), viewer.actor()), ("user:u".to_owned(), ("user", "u")));
    assert_eq!(code::<ClientRead>(&viewer), Ok(()));
    assert_eq!(code::<ClientExecute>(&viewer), Err("auth.scope_missing"));
    assert_eq!(code::<Act>(&viewer), Err("auth.scope_missing"));
    assert_eq!(code::<Administer>(&viewer), Err("auth.scope_missing"));
    assert_eq!(code::<SignedIn>(&viewer), Ok(()));
    for passed in [code::<Operate>, code::<Administer>, code::<Act>, code::<ClientExecute>] {
        assert_eq!(passed(&admin), Ok(()));
    }
    for worker in [code::<WorkerReport>, code::<Install>] {
        assert_eq!(worker(&admin), Err("auth.worker_required"));
    }
    let theirs = person("acme", Role::Admin);
    assert_eq!(code::<Operate>(&theirs), Err("auth.operator_required"));
    assert_eq!(code::<SignedIn>(&issued("acme", &["read"])), Err("auth.token_required"));
    assert_eq!(code::<SignedIn>(&operator()), Err("auth.token_required"));
}

#[test]
fn a_person_is_counted_like_a_key_and_not_mixed_with_another_accounts() {
    let rates = Rates { keys: Some(7), workers: Some(9), ..Rates::default() };
    assert_eq!(person("acme", Role::User).rate(&rates), Some(7));
    let both = |key: &str, account: &str| Caller {
        client: issued(key, &["execute"]).client,
        ..person(account, Role::Viewer)
    };
    let same = both("acme", "acme").of_one_account().unwrap();
    assert_eq!((same.account(), same.name()), ("acme", "user:u".to_owned()));
    assert!(same.scopes().contains(Scope::Execute) && same.scopes().contains(Scope::Read));
    let differ = both("acme", "other").of_one_account().unwrap_err();
    assert_eq!(differ.code().as_str(), "auth.accounts_differ");
}

#[tokio::test]
async fn what_is_meant_as_a_token_is_never_taken_for_the_secret() {
    let key = |name: &str| (name == "SECRET_KEY").then(|| "k".repeat(32));
    let with_key = Secrets { secret_key: Config::read(key).secrets.secret_key, ..secrets() };
    for token in ["Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer bwr_x"] {
        let sent = [("authorization", token)];
        assert_eq!(who(with_key.clone(), &sent).await, Err(401), "{token}");
        assert_eq!(who(secrets(), &sent).await, Err(503), "no key: {token}");
        let no_worker = Secrets { worker_shared_secret: None, ..with_key.clone() };
        assert_eq!(who(no_worker, &sent).await, Err(401), "{token}");
    }
    let dotted = Config::read(|name| (name == WORKER_SHARED_SECRET).then(|| "a.b.c".to_owned()));
    let dotted = Secrets { worker_shared_secret: dotted.secrets.worker_shared_secret, ..with_key };
    let worker = who(dotted, &[("authorization", "Bearer a.b.c"), ID]).await.unwrap().unwrap();
    assert!(worker.is_worker(), "the secret may have dots");
}
