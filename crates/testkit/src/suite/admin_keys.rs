//! Accounts and issued keys. Every key that a case issues it revokes; the account that they belong
//! to stays behind, suspended.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{Fault, demand, fault, list, same, status, texts, violation};
use super::subject::BASIC;
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Administration of accounts and keys",
        cases: cases![
            "a key is accepted once it is issued, and its secret is shown once" => issued,
            "a key administers its own account and no other" => isolated,
            "nobody issues a right that they do not have" => grants,
            "a key is rotated, and both secrets are accepted for the overlap" => rotated,
            "a revoked key can be neither changed nor rotated" => revoked,
            "what a key may not be is told" => invalid,
            "a key stops at its own budget" => budget,
            "an account is suspended and its keys with it" => suspended,
        ],
    }
}

const KEY_OVER: Fault = Fault { status: 409, code: "api_key.over", error: "The key is over" };
const NOT_FOUND: Fault = Fault { status: 404, code: "resource.not_found", error: "Not found" };
const SCOPE_MISSING: Fault =
    Fault { status: 403, code: "auth.scope_missing", error: "The credential does not allow this" };
const OPERATOR: Fault =
    Fault { status: 403, code: "auth.operator_required", error: "The operator is needed" };
const SUSPENDED: Fault =
    Fault { status: 403, code: "account.suspended", error: "The account is suspended" };
const EXHAUSTED: Fault =
    Fault { status: 402, code: "key.budget_exhausted", error: "The key's budget is exhausted" };

/// A key of this pass.
struct Key {
    id: String,
    secret: String,
}

async fn ask(it: &Subject, method: Method, path: &str, body: Value) -> Result<Reply, String> {
    it.ask(method, &format!("/admin/{path}")).by_worker().json(&body).send().await
}

/// Asks with an issued key.
async fn with(it: &Subject, key: &Key, path: &str) -> Result<Reply, String> {
    it.get(path).header("x-api-key", &key.secret).send().await
}

async fn account(it: &Subject, word: &str) -> Result<String, String> {
    let id = format!("{word}-{}", it.token());
    let reply = ask(it, Method::POST, "accounts", json!({ "id": id, "name": word })).await?;
    status(&reply, 201)?;
    Ok(id)
}

fn key_of(reply: &Reply) -> Result<Key, String> {
    status(reply, 201)?;
    let secret = reply.text("/secret").to_owned();
    demand!(secret.starts_with("bwk_") && secret.len() == 47, "the secret's form");
    Ok(Key { id: reply.text("/api_key/id").to_owned(), secret })
}

async fn issue(it: &Subject, account: &str, scopes: &[&str]) -> Result<Key, String> {
    let body = json!({ "name": it.token(), "account": account, "scopes": scopes });
    key_of(&ask(it, Method::POST, "api-keys", body).await?)
}

async fn revoke(it: &Subject, key: &Key) -> Outcome {
    let path = format!("/admin/api-keys/{}", key.id);
    let reply = it.ask(Method::DELETE, &path).by_worker().send().await?;
    status(&reply, 200)?;
    same("status", reply.text("/status"), "revoked")
}

async fn suspend(it: &Subject, account: &str) -> Outcome {
    let path = format!("accounts/{account}");
    let reply = ask(it, Method::PATCH, &path, json!({ "status": "suspended" })).await?;
    status(&reply, 200)?;
    same("status", reply.text("/status"), "suspended")
}

async fn issued(it: &Subject) -> Outcome {
    let key = issue(it, "default", &["read"]).await?;
    status(&with(it, &key, "/pipeline-history?limit=1").await?, 200)?;
    let path = format!("/admin/api-keys/{}", key.id);
    let read = it.get(&path).by_worker().send().await?;
    status(&read, 200)?;
    same("scopes", &read.body["scopes"], &json!(["read"]))?;
    demand!(!read.body.to_string().contains(&key.secret[4..]), "the secret is shown again");
    let log = it.get(&format!("/admin/audit-log?subject={}", key.id)).by_worker().send().await?;
    same("logged", texts(list(&log, "/entries")?, "change"), vec!["api_key.issued"])?;
    demand!(!log.body.to_string().contains(&key.secret[4..]), "the secret is logged");
    revoke(it, &key).await
}

async fn isolated(it: &Subject) -> Outcome {
    let own = account(it, "isolated").await?;
    let admin = issue(it, &own, &["admin", "read"]).await?;
    let other = issue(it, "default", &["read"]).await?;
    let seen = with(it, &admin, "/admin/api-keys?limit=200").await?;
    same("keys", texts(list(&seen, "/api_keys")?, "id"), vec![admin.id.as_str()])?;
    fault(&with(it, &admin, &format!("/admin/api-keys/{}", other.id)).await?, NOT_FOUND)?;
    fault(&with(it, &admin, "/admin/accounts/default").await?, NOT_FOUND)?;
    let accounts = with(it, &admin, "/admin/accounts").await?;
    same("accounts", texts(list(&accounts, "/accounts")?, "id"), vec![own.as_str()])?;
    fault(&with(it, &admin, "/admin/workers").await?, OPERATOR)?;
    let elsewhere = json!({ "name": "x", "account": "default", "scopes": ["read"] });
    let asked = it.ask(Method::POST, "/admin/api-keys").header("x-api-key", &admin.secret);
    let refused = asked.json(&elsewhere).send().await?;
    violation(&refused, "/account", "account.unknown")?;
    revoke(it, &admin).await?;
    revoke(it, &other).await?;
    suspend(it, &own).await
}

async fn grants(it: &Subject) -> Outcome {
    let admin = issue(it, "default", &["admin"]).await?;
    let strong = issue(it, "default", &["execute"]).await?;
    let by_admin = |path: &str, body: &Value| {
        let asked = it.ask(Method::POST, path).header("x-api-key", &admin.secret);
        asked.json(body)
    };
    let wanted = json!({ "name": "x", "scopes": ["execute"] });
    fault(&by_admin("/admin/api-keys", &wanted).send().await?, SCOPE_MISSING)?;
    let rotate = format!("/admin/api-keys/{}/rotate", strong.id);
    fault(&by_admin(&rotate, &json!({})).send().await?, SCOPE_MISSING)?;
    revoke(it, &admin).await?;
    revoke(it, &strong).await
}

async fn rotated(it: &Subject) -> Outcome {
    let old = issue(it, "default", &["read"]).await?;
    let path = format!("api-keys/{}/rotate", old.id);
    let reply = ask(it, Method::POST, &path, json!({ "overlap_seconds": 3600 })).await?;
    let new = key_of(&reply)?;
    same("rotated_from", reply.text("/api_key/rotated_from"), old.id.as_str())?;
    same("rotated_to", reply.text("/replaced/rotated_to"), new.id.as_str())?;
    demand!(reply.body["replaced"]["expires_at"].is_string(), "the old one has no end");
    for key in [&old, &new] {
        status(&with(it, key, "/pipeline-history?limit=1").await?, 200)?;
    }
    fault(&ask(it, Method::POST, &path, json!({})).await?, KEY_OVER)?;
    revoke(it, &old).await?;
    revoke(it, &new).await
}

async fn revoked(it: &Subject) -> Outcome {
    let key = issue(it, "default", &["read"]).await?;
    revoke(it, &key).await?;
    revoke(it, &key).await?;
    let path = format!("api-keys/{}", key.id);
    fault(&ask(it, Method::PATCH, &path, json!({ "name": "late" })).await?, KEY_OVER)?;
    let rotate = format!("{path}/rotate");
    fault(&ask(it, Method::POST, &rotate, json!({})).await?, KEY_OVER)?;
    status(&with(it, &key, "/pipeline-history").await?, 401)
}

async fn invalid(it: &Subject) -> Outcome {
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({ "name": "" }), "/name"),
        (json!({ "name": "x", "scopes": ["fly"] }), "/scopes/0"),
        (json!({ "name": "x", "scopes": [] }), "/scopes"),
        (json!({ "name": "x", "daily_budget_usd": -1 }), "/daily_budget_usd"),
        (json!({ "name": "x", "rate_per_minute": 0 }), "/rate_per_minute"),
        (json!({ "name": "x", "expires_at": "2020-01-01T00:00:00Z" }), "/expires_at"),
        (json!({ "name": "x", "expires_at": "soon" }), "/expires_at"),
        (json!({ "name": "x", "account": "nobody-at-all" }), "/account"),
        (json!({ "name": "x", "secret": "mine" }), "/secret"),
    ] {
        let reply = ask(it, Method::POST, "api-keys", body).await?;
        status(&reply, 422)?;
        same("pointer", reply.text("/violations/0/pointer"), pointer)?;
    }
    Ok(())
}

async fn budget(it: &Subject) -> Outcome {
    let body = json!({ "name": it.token(), "daily_budget_usd": 0 });
    let key = key_of(&ask(it, Method::POST, "api-keys", body).await?)?;
    let request = json!({
        "topic": format!("budgets {}", it.token()), "pipeline_template": BASIC, "async": true,
        "use_cache": false,
    });
    let asked = it.ask(Method::POST, "/orchestrate").header("x-api-key", &key.secret);
    let reply = asked.json(&request).send().await?;
    revoke(it, &key).await?;
    // Where the template's workers cost nothing, no money is asked for.
    if reply.status == 202 {
        return it.follow(reply.text("/pipeline_id")).await.map(drop);
    }
    fault(&reply, EXHAUSTED)?;
    demand!(reply.header("retry-after").is_some(), "it does not say when the budget renews");
    demand!(reply.text("/detail").contains("daily"), "{}", reply.text("/detail"));
    Ok(())
}

async fn suspended(it: &Subject) -> Outcome {
    let own = account(it, "suspended").await?;
    let key = issue(it, &own, &["read"]).await?;
    suspend(it, &own).await?;
    fault(&with(it, &key, "/pipeline-history").await?, SUSPENDED)?;
    let default = json!({ "status": "suspended" });
    let refused = ask(it, Method::PATCH, "accounts/default", default).await?;
    violation(&refused, "/status", "account.default")?;
    revoke(it, &key).await
}
