//! People of a pass: each is made by the operator, signs in, and is deleted in the end.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{demand, status};
use super::subject::Ask;
use super::{Outcome, Subject};
use crate::client::Reply;

/// What each of them signs in with.
pub const PASSWORD: &str = "correct horse battery";

/// A person who has signed in.
pub struct Person {
    pub id: String,
    pub email: String,
    pub token: String,
    pub refresh: String,
}

/// Makes a user of the account and signs it in. `word` tells it from the others of this pass.
pub async fn person(it: &Subject, word: &str, role: &str, account: &str) -> Result<Person, String> {
    let email = format!("{word}.{}@example.com", it.token());
    let body = json!({ "email": email, "password": PASSWORD, "role": role, "account": account });
    let made = it.ask(Method::POST, "/admin/users").by_worker().json(&body).send().await?;
    status(&made, 201)?;
    let id = made.text("/user_id").to_owned();
    let reply = sign_in(it, &email, PASSWORD).await?;
    let (token, refresh) = tokens(&reply)?;
    Ok(Person { id, email, token, refresh })
}

/// Signs in with JSON.
pub async fn sign_in(it: &Subject, login: &str, password: &str) -> Result<Reply, String> {
    let body = json!({ "username": login, "password": password });
    it.ask(Method::POST, "/auth/login").json(&body).send().await
}

/// The tokens of a reply.
pub fn tokens(reply: &Reply) -> Result<(String, String), String> {
    status(reply, 200)?;
    let (access, refresh) = (reply.text("/access_token"), reply.text("/refresh_token"));
    demand!(access.split('.').count() == 3, "the access token has another form");
    demand!(refresh.starts_with("bwr_") && refresh.len() == 47, "the refresh token's form");
    demand!(reply.text("/token_type") == "bearer", "token_type is {}", reply.body);
    demand!(reply.body["expires_in"] == 1_800, "expires_in is {}", reply.body["expires_in"]);
    Ok((access.to_owned(), refresh.to_owned()))
}

/// Asks with a token.
pub fn with<'s>(it: &'s Subject, method: Method, path: &str, token: &str) -> Ask<'s> {
    it.ask(method, path).header("authorization", &format!("Bearer {token}"))
}

/// Gets the next tokens.
pub async fn refresh(it: &Subject, token: &str) -> Result<Reply, String> {
    let body = json!({ "refresh_token": token });
    it.ask(Method::POST, "/auth/refresh").json(&body).send().await
}

/// Changes a user as the operator.
pub async fn change(it: &Subject, id: &str, patch: &Value) -> Result<Reply, String> {
    let path = format!("/admin/users/{id}");
    it.ask(Method::PATCH, &path).by_worker().json(patch).send().await
}

/// Deletes a user.
pub async fn dismiss(it: &Subject, id: &str) -> Outcome {
    let path = format!("/admin/users/{id}");
    let reply = it.ask(Method::DELETE, &path).by_worker().send().await?;
    status(&reply, 200)?;
    demand!(reply.text("/user_id") == id, "another user was deleted: {}", reply.body);
    Ok(())
}
