//! People on the real stack: the first user, attacks on tokens, lockout, refresh tokens, the
//! upgrade of hashes, the rotation of the key, and all of it many times at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::client::{Client, Reply};
use testkit::stack::{SECRET_KEY, Stack, StateDir, wanted};

const PASSWORD: &str = "correct horse battery";
const ADDRESS: &str = "CF-Connecting-IP";

struct People {
    client: Client,
}

impl People {
    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.client.send(request).await.unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client.request(Method::POST, path).json(body)
    }

    async fn by_operator(&self, method: Method, path: &str, body: &Value) -> Reply {
        let request = self.client.as_worker(self.client.request(method, path));
        self.send(request.json(body)).await
    }

    async fn bootstrap(&self, email: &str) -> Reply {
        let body = json!({ "email": email, "password": PASSWORD });
        self.by_operator(Method::POST, "/auth/bootstrap", &body).await
    }

    /// Makes a user; gives its id.
    async fn user(&self, email: &str, role: &str) -> String {
        let body = json!({ "email": email, "password": PASSWORD, "role": role });
        let made = self.by_operator(Method::POST, "/admin/users", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.text("/user_id").to_owned()
    }

    async fn login(&self, login: &str, password: &str) -> Reply {
        self.login_from(login, password, None).await
    }

    async fn login_from(&self, login: &str, password: &str, address: Option<&str>) -> Reply {
        let body = json!({ "username": login, "password": password });
        let request = self.post("/auth/login", &body);
        let request = match address {
            Some(address) => request.header(ADDRESS, address),
            None => request,
        };
        self.send(request).await
    }

    async fn tokens(&self, login: &str) -> (String, String) {
        pair(&self.login(login, PASSWORD).await)
    }

    async fn refresh(&self, token: &str) -> Reply {
        self.send(self.post("/auth/refresh", &json!({ "refresh_token": token }))).await
    }

    async fn me(&self, token: &str) -> Reply {
        self.send(self.client.request(Method::GET, "/auth/user").bearer_auth(token)).await
    }
}

fn pair(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, 200, "{}", reply.body);
    (reply.text("/access_token").to_owned(), reply.text("/refresh_token").to_owned())
}

fn people(stack: &Stack) -> People {
    People { client: stack.client() }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_users_one_is_made_and_is_the_last_administrator() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("auth-bootstrap");
    let stack = Stack::start(&state, &["BCRYPT_COST=4"]);
    let it = people(&stack);
    let emails: Vec<String> = (0..8).map(|n| format!("first{n}@example.com")).collect();
    let replies = join_all(emails.iter().map(|email| it.bootstrap(email))).await;
    let made: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert_eq!(made.len(), 1, "{:?}", replies.iter().map(|r| r.status).collect::<Vec<_>>());
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(refused.text("/code"), "auth.bootstrap_done", "{}", refused.body);
    }
    assert_eq!(state.query("SELECT count(*) AS n FROM users")[0]["n"], 1);
    let (email, id) = (made[0].text("/email"), made[0].text("/user_id"));
    let (token, _) = it.tokens(email).await;
    let me = it.me(&token).await;
    assert_eq!((me.text("/role"), me.text("/account")), ("admin", "default"));
    let path = format!("/admin/users/{id}");
    for patch in [json!({ "role": "user" }), json!({ "active": false })] {
        let kept = it.by_operator(Method::PATCH, &path, &patch).await;
        assert_eq!((kept.status, kept.text("/code")), (409, "user.last_administrator"));
    }
    let second = it.user("second@example.com", "admin").await;
    let demote = |id: &str| {
        let path = format!("/admin/users/{id}");
        let request = it.client.request(Method::PATCH, &path).json(&json!({ "role": "viewer" }));
        it.client.as_worker(request)
    };
    let both = join_all([id, &second].map(|id| it.send(demote(id)))).await;
    let mut found: Vec<u16> = both.iter().map(|reply| reply.status).collect();
    found.sort_unstable();
    assert_eq!(found, [200, 409], "one of two at a time");
}

/// A token made by hand, signed with the stack's own key unless it says otherwise.
fn forged(header: &Value, claims: &Value, key: &str) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    let signature = mac.chain_update(message.as_bytes()).finalize().into_bytes();
    format!("{message}.{}", BASE64.encode(signature))
}

fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one table of attacks")]
async fn attacks_on_tokens_are_refused() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("auth-tokens");
    let stack = Stack::start(&state, &["BCRYPT_COST=4"]);
    let it = people(&stack);
    let id = it.user("ada@example.com", "admin").await;
    let other = it.user("eve@example.com", "viewer").await;
    let (token, refresh) = it.tokens("ada@example.com").await;
    let claims = claims_of(&token);
    let header = json!({ "alg": "HS256", "typ": "at+jwt" });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let at = claims["iat"].as_u64().unwrap();
    assert_eq!(it.me(&forged(&header, &claims, SECRET_KEY)).await.status, 200, "made by hand");
    let signed = |claims: &Value| forged(&header, claims, SECRET_KEY);
    let unsigned = |alg: &str| {
        let token = forged(&json!({ "alg": alg, "typ": "at+jwt" }), &claims, SECRET_KEY);
        format!("{}.", token.rsplit_once('.').unwrap().0)
    };
    let algorithm =
        |alg: &str| forged(&json!({ "alg": alg, "typ": "at+jwt" }), &claims, SECRET_KEY);
    let attacks = [
        ("alg none", unsigned("none"), "auth.token_invalid"),
        ("alg None", unsigned("None"), "auth.token_invalid"),
        ("RS256 confusion", algorithm("RS256"), "auth.token_invalid"),
        ("HS384 confusion", algorithm("HS384"), "auth.token_invalid"),
        (
            "another type",
            forged(&json!({ "alg": "HS256" }), &claims, SECRET_KEY),
            "auth.token_invalid",
        ),
        ("wrong key", forged(&header, &claims, &"k".repeat(48)), "auth.token_invalid"),
        ("empty key", forged(&header, &claims, ""), "auth.token_invalid"),
        (
            "expired",
            signed(&{
                let mut claims = with("iat", json!(at - 3_600));
                (claims["nbf"], claims["exp"]) = (json!(at - 3_600), json!(at - 1_800));
                claims
            }),
            "auth.token_expired",
        ),
        ("for a year", signed(&with("exp", json!(at + 31_536_000))), "auth.token_invalid"),
        ("future nbf", signed(&with("nbf", json!(at + 600))), "auth.token_invalid"),
        ("future iat", signed(&with("iat", json!(at + 600))), "auth.token_invalid"),
        ("issuer", signed(&with("iss", json!("elsewhere"))), "auth.token_invalid"),
        ("audience", signed(&with("aud", json!("elsewhere"))), "auth.token_invalid"),
        ("another's session", signed(&with("sub", json!(other))), "auth.token_invalid"),
        ("no session", signed(&with("sid", json!("none"))), "auth.token_invalid"),
        ("no claims", signed(&json!({})), "auth.token_invalid"),
        ("oversized", signed(&with("jti", json!("j".repeat(4_000)))), "auth.token_invalid"),
        ("refresh token", refresh.clone(), "auth.token_invalid"),
    ];
    for (attack, token, code) in &attacks {
        for path in ["/auth/user", "/pipeline-history", "/admin/users"] {
            let request = it.client.request(Method::GET, path).bearer_auth(token);
            let reply = it.send(request).await;
            assert_eq!((reply.status, reply.text("/code")), (401, *code), "{attack} {path}");
        }
    }
    let parts: Vec<&str> = token.split('.').collect();
    let payload = BASE64.encode(with("sub", json!(other)).to_string());
    let tampered = format!("{}.{payload}.{}", parts[0], parts[2]);
    assert_eq!(it.me(&tampered).await.text("/code"), "auth.token_invalid");
    let access = it.refresh(&token).await;
    assert!(matches!(access.status, 401 | 422), "{}", access.body);

    assert_eq!(it.me(&token).await.status, 200);
    it.user("second@example.com", "admin").await;
    let gone = it.by_operator(Method::DELETE, &format!("/admin/users/{id}"), &json!({})).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(it.me(&token).await.text("/code"), "auth.token_invalid", "a deleted user's");
    assert_eq!(it.refresh(&refresh).await.text("/code"), "auth.refresh_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refreshes_at_once_begin_one_line_and_reuse_ends_it() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("auth-refresh");
    let mut stack = Stack::start(&state, &["BCRYPT_COST=4"]);
    let it = people(&stack);
    it.user("ada@example.com", "user").await;
    let (_, first) = it.tokens("ada@example.com").await;
    let replies = join_all((0..12).map(|_| it.refresh(&first))).await;
    let next: BTreeSet<String> = replies.iter().map(|reply| pair(reply).1).collect();
    assert_eq!(next.len(), 1, "all hold the same token");
    let rows = "SELECT count(*) AS n FROM refresh_tokens WHERE used_at IS NULL";
    assert_eq!(state.query(rows)[0]["n"], 1, "one line goes on");
    assert_eq!(state.query("SELECT refreshes AS n FROM user_sessions")[0]["n"], 1);
    let stored = state.query("SELECT group_concat(token_hash) AS all_of_them FROM refresh_tokens");
    assert!(!stored[0].to_string().contains("bwr_"), "only hashes are stored");

    // The answer is lost with the process that gave it.
    stack.kill();
    let stack = stack.again();
    let it = people(&stack);
    let again = pair(&it.refresh(&first).await).1;
    assert_eq!(Some(&again), next.first());
    let (access, third) = pair(&it.refresh(&again).await);
    assert_eq!(it.me(&access).await.status, 200);
    assert_eq!(it.refresh(&first).await.text("/code"), "auth.refresh_reused");
    assert_eq!(it.me(&access).await.text("/code"), "auth.token_invalid");
    assert_eq!(it.refresh(&third).await.text("/code"), "auth.refresh_invalid");

    // Long after, an unused successor saves nobody.
    let (_, old) = it.tokens("ada@example.com").await;
    let (access, _) = pair(&it.refresh(&old).await);
    state.execute(
        "UPDATE refresh_tokens SET used_at = '2020-01-01T00:00:00.000Z' WHERE used_at IS NOT NULL;",
    );
    assert_eq!(it.refresh(&old).await.text("/code"), "auth.refresh_reused");
    assert_eq!(it.me(&access).await.text("/code"), "auth.token_invalid");
    let change = "security.refresh_reused";
    let count = format!("SELECT count(*) AS n FROM audit_log WHERE change = '{change}'");
    for _ in 0..20 {
        if state.query(&count)[0]["n"] == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the log lacks {change}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_blocked_by_user_by_name_and_by_address() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("auth-lockout");
    let stack = Stack::start(&state, &["BCRYPT_COST=4"]);
    let it = people(&stack);
    it.user("ada@example.com", "user").await;
    it.user("eve@example.com", "user").await;
    let guesses = join_all((0..30).map(|_| it.login("ada@example.com", "a wrong guess"))).await;
    let looked_at = guesses.iter().filter(|reply| reply.status == 401).count();
    assert_eq!(looked_at, 5, "at once, too");
    let blocked = guesses.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!(blocked.text("/code"), "auth.locked_out");
    assert!(blocked.header("retry-after").is_some());
    assert_eq!(it.login("ada@example.com", PASSWORD).await.status, 429, "the right one, too");
    let name = "hunter2-typed-into-the-wrong-field";
    for n in 0..6 {
        let reply = it.login(name, "a wrong guess").await;
        assert_eq!(reply.status, if n < 5 { 401 } else { 429 }, "{n}: a name that nobody has");
    }
    state.execute(
        "UPDATE sign_in_attempts SET blocked_until = '2020-01-01T00:00:00.000Z'
         WHERE subject LIKE 'user:%';",
    );
    assert_eq!(it.login("ada@example.com", "a wrong guess").await.status, 401);
    let again = it.login("ada@example.com", PASSWORD).await;
    let seconds: u32 = again.header("retry-after").unwrap().parse().unwrap();
    assert!((31..=60).contains(&seconds), "twice as long: {seconds}");

    // One address that guesses at everybody blocks itself and nobody else.
    for n in 0..20 {
        let reply =
            it.login_from(&format!("nobody{n}"), "a wrong guess", Some("203.0.113.9")).await;
        assert_eq!(reply.status, 401, "{n}: {}", reply.body);
    }
    let here = it.login_from("eve@example.com", PASSWORD, Some("203.0.113.9")).await;
    assert_eq!(here.text("/code"), "auth.locked_out");
    let there = it.login_from("eve@example.com", PASSWORD, Some("203.0.113.10")).await;
    assert_eq!(there.status, 200, "{}", there.body);

    let log = "SELECT change, subject, after FROM audit_log WHERE subject_type = 'security'";
    tokio::time::sleep(Duration::from_secs(1)).await;
    let entries = state.query(log);
    let of = |change: &str| entries.iter().filter(|it| it["change"] == change).count();
    // Two minutes at most, two sources, three of each.
    let failed = of("security.sign_in_failed");
    assert!((2..=12).contains(&failed), "{failed} of 60 failures");
    assert!((1..=6).contains(&of("security.locked_out")), "{}", of("security.locked_out"));
    let all = Value::from(entries).to_string();
    let attempts = Value::from(state.query("SELECT * FROM sign_in_attempts")).to_string();
    for secret in [name, "a wrong guess", PASSWORD, "nobody7"] {
        assert!(!all.contains(secret) && !attempts.contains(secret), "{secret} is written down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dearer_cost_and_another_key_are_met_at_the_next_sign_in() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("auth-upgrade");
    let stack = Stack::start(&state, &["BCRYPT_COST=4"]);
    let it = people(&stack);
    it.user("ada@example.com", "user").await;
    let (token, refresh) = it.tokens("ada@example.com").await;
    let cost =
        || state.query("SELECT substr(password_hash, 1, 7) AS it FROM users")[0]["it"].clone();
    assert_eq!(cost(), "$2b$04$");
    drop(stack);

    let new = format!("SECRET_KEY={}", "n".repeat(40));
    let previous = format!("SECRET_KEY_PREVIOUS={SECRET_KEY}");
    let stack = Stack::start(&state, &["BCRYPT_COST=6", &new, &previous]);
    let it = people(&stack);
    assert_eq!(it.me(&token).await.status, 200, "signed with the key before");
    assert_eq!(it.login("ada@example.com", "a wrong guess").await.status, 401);
    assert_eq!(cost(), "$2b$04$", "a wrong password changes nothing");
    it.tokens("ada@example.com").await;
    assert_eq!(cost(), "$2b$06$");
    it.tokens("ada@example.com").await;
    let (token, _) = pair(&it.refresh(&refresh).await);
    drop(stack);

    let stack = Stack::start(&state, &["SECRET_KEY=too-short"]);
    let it = people(&stack);
    for reply in [it.me(&token).await, it.login("ada@example.com", PASSWORD).await] {
        assert_eq!((reply.status, reply.text("/code")), (503, "auth.not_configured"));
    }
    let health = it.send(it.client.request(Method::GET, "/health")).await;
    let problems = health.body["problems"].to_string();
    assert!(problems.contains("SECRET_KEY has fewer than 32 characters"), "{problems}");
    assert_eq!(it.client.get("/pipeline-history").await.unwrap().status, 200, "keys serve");
}
