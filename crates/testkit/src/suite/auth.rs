//! People: sign-in, tokens, roles, and what administrators do with users. Every user that a case
//! makes it deletes. Fewer than twenty sign-ins fail, so that the address of this pass is not
//! blocked.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{Fault, REQUEST_INVALID, demand, fault, list, same, status, texts, violation};
use super::people::{PASSWORD, Person, change, dismiss, person, refresh, sign_in, tokens, with};
use super::{Outcome, Phase, Subject, cases};

pub fn phase() -> Phase {
    Phase {
        title: "People: sign-in, tokens and roles (auth)",
        cases: cases![
            "a person signs in by e-mail or name, with JSON or a form" => signs_in,
            "who has signed in is told who they are" => who,
            "a token goes where a key goes, and the role decides" => roles,
            "a wrong name and a wrong password are refused alike" => alike,
            "five wrong passwords block a user until it is unlocked" => locked,
            "a refresh token is used once, and two uses of it end the sign-in" => refreshed,
            "a sign-out ends its tokens at once" => signed_out,
            "a token that was forged or changed is refused" => forged,
            "a new role counts at once, and who is gone is out at once" => at_once,
            "a new password ends the other sign-ins" => new_password,
            "what a user may not be is told, without its password" => invalid,
            "an administrator of an account sees and makes its users alone" => own_account,
            "there is no second first user" => bootstrapped,
            "sign-ins and refusals stand in the audit log" => logged,
        ],
    }
}

const REFUSED: Fault =
    Fault { status: 401, code: "auth.sign_in_refused", error: "The name or the password is wrong" };
const LOCKED: Fault =
    Fault { status: 429, code: "auth.locked_out", error: "Too many attempts to sign in" };
const TOKEN_INVALID: Fault =
    Fault { status: 401, code: "auth.token_invalid", error: "The access token is not valid" };
const TOKEN_REQUIRED: Fault =
    Fault { status: 401, code: "auth.token_required", error: "Sign-in required" };
const REUSED: Fault =
    Fault { status: 401, code: "auth.refresh_reused", error: "The refresh token was used before" };
const REFRESH_INVALID: Fault =
    Fault { status: 401, code: "auth.refresh_invalid", error: "The refresh token is not valid" };
const SCOPE_MISSING: Fault =
    Fault { status: 403, code: "auth.scope_missing", error: "The credential does not allow this" };
const DIFFER: Fault = Fault {
    status: 403,
    code: "auth.accounts_differ",
    error: "The credentials are of two accounts",
};
const NOT_FOUND: Fault = Fault { status: 404, code: "resource.not_found", error: "Not found" };
const EXISTS: Fault = Fault { status: 409, code: "resource.exists", error: "It exists already" };
const BOOTSTRAPPED: Fault =
    Fault { status: 409, code: "auth.bootstrap_done", error: "There is a user already" };

async fn own_user(it: &Subject, token: &str) -> Result<crate::client::Reply, String> {
    with(it, Method::GET, "/auth/user", token).send().await
}

async fn signs_in(it: &Subject) -> Outcome {
    let ada = person(it, "signs-in", "user", "default").await?;
    let name = format!("Ada {}", it.token());
    status(&change(it, &ada.id, &json!({ "name": name })).await?, 200)?;
    for login in [ada.email.to_uppercase(), name.to_lowercase()] {
        tokens(&sign_in(it, &login, PASSWORD).await?).map_err(|why| format!("{login}: {why}"))?;
    }
    let login = ada.email.replace('@', "%40");
    let form = format!("grant_type=password&username={login}&password={}&scope=", PASSWORD);
    let form = form.replace(' ', "+");
    let asked = it.ask(Method::POST, "/auth/login");
    let reply = asked.body_of_type("application/x-www-form-urlencoded", &form).send().await?;
    let (token, _) = tokens(&reply)?;
    same("cache-control", reply.header("cache-control"), Some("no-store"))?;
    same("email", own_user(it, &token).await?.text("/email"), ada.email.as_str())?;
    dismiss(it, &ada.id).await
}

async fn who(it: &Subject) -> Outcome {
    let ada = person(it, "who", "user", "default").await?;
    let reply = own_user(it, &ada.token).await?;
    status(&reply, 200)?;
    same("user_id", reply.text("/user_id"), ada.id.as_str())?;
    same("account", reply.text("/account"), "default")?;
    same("role", reply.text("/role"), "user")?;
    same("scopes", &reply.body["scopes"], &json!(["execute", "read"]))?;
    demand!(reply.body["last_sign_in_at"].is_string(), "it has never signed in");
    demand!(!reply.body.to_string().contains("$2"), "the hash is shown");
    fault(&it.get("/auth/user").send().await?, TOKEN_REQUIRED)?;
    fault(&it.get("/auth/user").by_client().send().await?, TOKEN_REQUIRED)?;
    dismiss(it, &ada.id).await
}

async fn roles(it: &Subject) -> Outcome {
    let viewer = person(it, "roles-viewer", "viewer", "default").await?;
    let user = person(it, "roles-user", "user", "default").await?;
    // The last administrator of the installation could not be deleted again.
    let account = own(it, "roles").await?;
    let admin = person(it, "roles-admin", "admin", &account).await?;
    let history = "/pipeline-history?limit=1";
    for person in [&viewer, &user, &admin] {
        status(&with(it, Method::GET, history, &person.token).send().await?, 200)?;
    }
    let start = |token: &str| with(it, Method::POST, "/orchestrate", token);
    let body = json!({ "topic": format!("people {}", it.token()), "async": true,
        "pipeline_template": super::subject::BASIC, "use_cache": false });
    fault(&start(&viewer.token).json(&body).send().await?, SCOPE_MISSING)?;
    let begun = start(&user.token).json(&body).send().await?;
    status(&begun, 202)?;
    let path = "/admin/users?limit=1";
    for person in [&viewer, &user] {
        fault(&with(it, Method::GET, path, &person.token).send().await?, SCOPE_MISSING)?;
    }
    status(&with(it, Method::GET, path, &admin.token).send().await?, 200)?;
    let both = with(it, Method::GET, history, &viewer.token).by_client().send().await?;
    status(&both, 200)?;
    let wrong = with(it, Method::GET, history, &viewer.token).header("x-api-key", "wrong");
    status(&wrong.send().await?, 401)?;
    it.follow(begun.text("/pipeline_id")).await?;
    for person in [&viewer, &user, &admin] {
        dismiss(it, &person.id).await?;
    }
    close(it, &account).await
}

/// An account of this pass.
async fn own(it: &Subject, word: &str) -> Result<String, String> {
    let account = format!("{word}-{}", it.token());
    let body = json!({ "id": account });
    let made = it.ask(Method::POST, "/admin/accounts").by_worker().json(&body).send().await?;
    status(&made, 201)?;
    Ok(account)
}

async fn close(it: &Subject, account: &str) -> Outcome {
    let suspend = it.ask(Method::PATCH, &format!("/admin/accounts/{account}")).by_worker();
    status(&suspend.json(&json!({ "status": "suspended" })).send().await?, 200)
}

async fn alike(it: &Subject) -> Outcome {
    let ada = person(it, "alike", "viewer", "default").await?;
    let wrong = sign_in(it, &ada.email, "incorrect horse battery").await?;
    let unknown = sign_in(it, &format!("x{}", ada.email), PASSWORD).await?;
    status(&change(it, &ada.id, &json!({ "active": false })).await?, 200)?;
    let inactive = sign_in(it, &ada.email, PASSWORD).await?;
    for reply in [&wrong, &unknown, &inactive] {
        fault(reply, REFUSED)?;
        same("detail", reply.text("/detail"), wrong.text("/detail"))?;
    }
    dismiss(it, &ada.id).await
}

async fn locked(it: &Subject) -> Outcome {
    let ada = person(it, "locked", "viewer", "default").await?;
    for _ in 0..5 {
        fault(&sign_in(it, &ada.email, "incorrect horse battery").await?, REFUSED)?;
    }
    let reply = sign_in(it, &ada.email, PASSWORD).await?;
    fault(&reply, LOCKED)?;
    let after: u32 = reply.header("retry-after").unwrap_or("0").parse().unwrap_or(0);
    demand!((1..=30).contains(&after), "Retry-After is {after}");
    status(&own_user(it, &ada.token).await?, 200)?;
    let path = format!("/admin/users/{}", ada.id);
    let shown = it.get(&path).by_worker().send().await?;
    demand!(shown.body["locked_until"].is_string(), "not shown as locked: {}", shown.body);
    let unlock = it.ask(Method::POST, &format!("{path}/unlock")).by_worker().send().await?;
    status(&unlock, 200)?;
    same("locked_until", &unlock.body["locked_until"], &Value::Null)?;
    tokens(&sign_in(it, &ada.email, PASSWORD).await?)?;
    dismiss(it, &ada.id).await
}

async fn refreshed(it: &Subject) -> Outcome {
    let ada = person(it, "refreshed", "viewer", "default").await?;
    let (_, second) = tokens(&refresh(it, &ada.refresh).await?)?;
    let (_, again) = tokens(&refresh(it, &ada.refresh).await?)?;
    same("a lost answer is told again", again == second, true)?;
    let (token, third) = tokens(&refresh(it, &second).await?)?;
    status(&own_user(it, &token).await?, 200)?;
    fault(&refresh(it, &ada.refresh).await?, REUSED)?;
    fault(&own_user(it, &token).await?, TOKEN_INVALID)?;
    fault(&own_user(it, &ada.token).await?, TOKEN_INVALID)?;
    fault(&refresh(it, &third).await?, REFRESH_INVALID)?;
    fault(&refresh(it, &format!("bwr_{}", "A".repeat(43))).await?, REFRESH_INVALID)?;
    let access = refresh(it, &ada.token).await?;
    demand!(matches!(access.status, 401 | 422), "an access token refreshes: {}", access.body);
    dismiss(it, &ada.id).await
}

async fn signed_out(it: &Subject) -> Outcome {
    let ada = person(it, "signed-out", "viewer", "default").await?;
    let (other, kept) = tokens(&sign_in(it, &ada.email, PASSWORD).await?)?;
    let out = with(it, Method::POST, "/auth/logout", &ada.token).send().await?;
    status(&out, 200)?;
    same("sessions_ended", &out.body["sessions_ended"], &json!(1))?;
    fault(&own_user(it, &ada.token).await?, TOKEN_INVALID)?;
    fault(&refresh(it, &ada.refresh).await?, REFRESH_INVALID)?;
    status(&own_user(it, &other).await?, 200)?;
    let body = json!({ "refresh_token": kept, "everywhere": true });
    let out = it.ask(Method::POST, "/auth/logout").json(&body).send().await?;
    same("sessions_ended", &out.body["sessions_ended"], &json!(1))?;
    fault(&own_user(it, &other).await?, TOKEN_INVALID)?;
    fault(&it.ask(Method::POST, "/auth/logout").send().await?, TOKEN_REQUIRED)?;
    dismiss(it, &ada.id).await
}

async fn forged(it: &Subject) -> Outcome {
    let ada = person(it, "forged", "user", "default").await?;
    let parts: Vec<&str> = ada.token.split('.').collect();
    let [header, payload, signature] = parts[..] else { return Err("no three parts".to_owned()) };
    // {"alg":"none","typ":"at+jwt"} and {"alg":"RS256","typ":"at+jwt"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let rs256 = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9";
    let changed = payload.replacen(&payload[10..12], "AA", 1);
    for token in [
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{rs256}.{payload}.{signature}"),
        format!("{header}.{changed}.{signature}"),
        format!("{header}.{payload}.{}", signature.chars().rev().collect::<String>()),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{signature}{}", "A".repeat(4_000)),
        ada.refresh.clone(),
    ] {
        let reply = own_user(it, &token).await?;
        fault(&reply, TOKEN_INVALID).map_err(|why| format!("{} chars: {why}", token.len()))?;
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        demand!(challenge.contains("error=\"invalid_token\""), "challenge {challenge:?}");
    }
    status(&own_user(it, &ada.token).await?, 200)?;
    dismiss(it, &ada.id).await
}

async fn at_once(it: &Subject) -> Outcome {
    let account = own(it, "at-once").await?;
    let ada = person(it, "at-once", "admin", &account).await?;
    let users = || with(it, Method::GET, "/admin/users?limit=1", &ada.token).send();
    status(&users().await?, 200)?;
    status(&change(it, &ada.id, &json!({ "role": "viewer" })).await?, 200)?;
    fault(&users().await?, SCOPE_MISSING)?;
    status(&change(it, &ada.id, &json!({ "active": false })).await?, 200)?;
    fault(&own_user(it, &ada.token).await?, TOKEN_INVALID)?;
    fault(&refresh(it, &ada.refresh).await?, REFRESH_INVALID)?;
    status(&change(it, &ada.id, &json!({ "active": true })).await?, 200)?;
    fault(&own_user(it, &ada.token).await?, TOKEN_INVALID)?;
    let (token, _) = tokens(&sign_in(it, &ada.email, PASSWORD).await?)?;
    dismiss(it, &ada.id).await?;
    fault(&own_user(it, &token).await?, TOKEN_INVALID)?;
    let gone = it.get(&format!("/admin/users/{}", ada.id)).by_worker().send().await?;
    fault(&gone, NOT_FOUND)?;
    let log = it.get(&format!("/admin/audit-log?subject_type=user&subject={}", ada.id));
    let log = log.by_worker().send().await?;
    let entries = list(&log, "/entries")?;
    same("the last entry", texts(entries, "change").first().copied(), Some("user.deleted"))?;
    same("who it was", &entries[0]["before"]["email"], &json!(ada.email))?;
    close(it, &account).await
}

async fn new_password(it: &Subject) -> Outcome {
    let ada = person(it, "new-password", "viewer", "default").await?;
    let (other, _) = tokens(&sign_in(it, &ada.email, PASSWORD).await?)?;
    let put = |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        with(it, Method::PUT, "/auth/user/password", &ada.token).json(&body)
    };
    let new = "staple of another kind";
    let wrong = put("incorrect horse battery", new).send().await?;
    violation(&wrong, "/current_password", "password.wrong")?;
    violation(&put(PASSWORD, &ada.email).send().await?, "/new_password", "password.known")?;
    let done = put(PASSWORD, new).send().await?;
    status(&done, 200)?;
    same("sessions_ended", &done.body["sessions_ended"], &json!(1))?;
    status(&own_user(it, &ada.token).await?, 200)?;
    fault(&own_user(it, &other).await?, TOKEN_INVALID)?;
    fault(&sign_in(it, &ada.email, PASSWORD).await?, REFUSED)?;
    let path = format!("/admin/users/{}/password", ada.id);
    let reset = it.ask(Method::POST, &path).by_worker();
    status(&reset.json(&json!({ "password": PASSWORD })).send().await?, 200)?;
    fault(&own_user(it, &ada.token).await?, TOKEN_INVALID)?;
    tokens(&sign_in(it, &ada.email, PASSWORD).await?)?;
    dismiss(it, &ada.id).await
}

async fn invalid(it: &Subject) -> Outcome {
    let ada = person(it, "invalid", "viewer", "default").await?;
    let make = |body: Value| it.ask(Method::POST, "/admin/users").by_worker().json(&body).send();
    let with_password = |text: &str| json!({ "email": "b@example.com", "password": text });
    for (body, pointer) in [
        (with_password("hush-12"), "/password"),
        (with_password(&"hush".repeat(20)), "/password"),
        (with_password("password123"), "/password"),
        (json!({ "email": "hush-hush", "password": "hush-hush-hush" }), "/email"),
        (json!({ "email": "b@example.com", "password": ["hush-hush"] }), "/password"),
        (json!({ "email": "b@example.com" }), "/password"),
    ] {
        let reply = make(body.clone()).await?;
        fault(&reply, REQUEST_INVALID)?;
        same("pointer", reply.text("/violations/0/pointer"), pointer)?;
        demand!(!reply.body.to_string().contains("hush"), "it repeats the secret: {}", reply.body);
    }
    let like = |field: &str, value: &str| {
        let mut body = json!({ "email": "b@example.com", "password": PASSWORD });
        body[field] = value.into();
        body
    };
    violation(&make(like("role", "root")).await?, "/role", "enum")?;
    violation(&make(like("account", "nobody-at-all")).await?, "/account", "account.unknown")?;
    violation(&make(like("name", "c@example.com")).await?, "/name", "name.at")?;
    fault(&make(like("email", &ada.email.to_uppercase())).await?, EXISTS)?;
    dismiss(it, &ada.id).await
}

async fn own_account(it: &Subject) -> Outcome {
    let account = own(it, "people").await?;
    let admin = person(it, "own-admin", "admin", &account).await?;
    let other = person(it, "own-other", "viewer", "default").await?;
    let outcome = sees_its_own(it, &account, (&admin, &other)).await;
    dismiss(it, &admin.id).await?;
    dismiss(it, &other.id).await?;
    close(it, &account).await?;
    outcome
}

async fn sees_its_own(it: &Subject, own: &str, (admin, other): (&Person, &Person)) -> Outcome {
    let asked = |method: Method, path: &str| with(it, method, path, &admin.token);
    let seen = asked(Method::GET, "/admin/users?limit=200").send().await?;
    same("users", texts(list(&seen, "/users")?, "user_id"), vec![admin.id.as_str()])?;
    let path = format!("/admin/users/{}", other.id);
    fault(&asked(Method::GET, &path).send().await?, NOT_FOUND)?;
    fault(&asked(Method::DELETE, &path).send().await?, NOT_FOUND)?;
    let body = json!({ "email": "b@example.com", "password": PASSWORD, "account": "default" });
    let elsewhere = asked(Method::POST, "/admin/users").json(&body).send().await?;
    violation(&elsewhere, "/account", "account.unknown")?;
    let key = asked(Method::GET, "/auth/user").by_client().send().await?;
    fault(&key, DIFFER)?;
    let shown = asked(Method::GET, "/auth/user").send().await?;
    same("account", shown.text("/account"), own)
}

async fn bootstrapped(it: &Subject) -> Outcome {
    let ada = person(it, "bootstrapped", "viewer", "default").await?;
    let body = json!({ "email": format!("b.{}", ada.email), "password": PASSWORD });
    let ask = || it.ask(Method::POST, "/auth/bootstrap").json(&body);
    fault(&ask().by_worker().send().await?, BOOTSTRAPPED)?;
    status(&ask().send().await?, 401)?;
    status(&ask().by_client().send().await?, 401)?;
    dismiss(it, &ada.id).await
}

async fn logged(it: &Subject) -> Outcome {
    let ada = person(it, "logged", "viewer", "default").await?;
    let secret = format!("hush-{}", it.token());
    fault(&sign_in(it, &ada.email, &secret).await?, REFUSED)?;
    fault(&with(it, Method::GET, "/admin/users", &ada.token).send().await?, SCOPE_MISSING)?;
    let wanted = ["security.signed_in", "security.sign_in_failed", "security.scope_violated"];
    let path = "/admin/audit-log?subject_type=security&limit=200";
    let mut lacking = Vec::new();
    for _ in 0..20 {
        let log = it.get(path).by_worker().send().await?;
        demand!(!log.body.to_string().contains(&secret), "the log has the password");
        let entries = list(&log, "/entries")?;
        let about = |entry: &&Value| {
            entry["subject"] == ada.id.as_str() || entry["actor"] == ada.id.as_str()
        };
        let found: Vec<&str> =
            entries.iter().filter(about).filter_map(|it| it["change"].as_str()).collect();
        lacking = wanted.iter().filter(|change| !found.contains(change)).collect();
        // A flood of failures from elsewhere leaves no room for this one.
        if lacking.is_empty() || lacking == [&"security.sign_in_failed"] {
            lacking.clear();
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    demand!(lacking.is_empty(), "the log lacks {lacking:?}");
    dismiss(it, &ada.id).await
}
