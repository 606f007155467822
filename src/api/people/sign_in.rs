//! Sign-in, refresh and sign-out.

use api_types::people::{RefreshRequest, SignInRequest, SignOutReply, SignOutRequest, TokenReply};
use axum::Json;
use axum::http::HeaderMap;

use crate::auth::{Anyone, token};
use crate::clock::now;
use crate::db::{Database, sessions};
use crate::error::{ApiError, SignInFault};
use crate::extract::{FormDocument, OptionalDocument};
use crate::openapi::{BodyErrors, PEOPLE, SignInErrors};
use crate::people::{self, SignIn, Tokens};
use crate::rate::network;
use crate::request::RequestContext;
use crate::security::{self, Event, Kind};

/// Signs a person in, by e-mail or name and password.
///
/// The body is JSON or a form. After five wrong passwords of a user, or twenty from an address,
/// further ones are not looked at for a while: 429 with `Retry-After`.
#[utoipa::path(
    post, path = "/auth/login", tag = PEOPLE,
    request_body(content(
        (SignInRequest = "application/json"),
        (SignInRequest = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "The tokens of the sign-in", body = TokenReply),
        BodyErrors, SignInErrors,
    ),
)]
#[worker::send]
pub async fn login(
    context: RequestContext,
    headers: HeaderMap,
    FormDocument(body): FormDocument<SignInRequest>,
) -> Result<Json<TokenReply>, ApiError> {
    let address = network(&headers);
    let SignInRequest { username, password, .. } = &body;
    let wanted = SignIn { login: username, password, address: address.as_deref() };
    people::sign_in(&context, wanted).await.map(shown).map(Json)
}

/// Gets the next tokens for a refresh token, which is used up by it.
///
/// Who has lost the answer asks again within a minute and gets it. Any other second use ends the
/// sign-in with all of its tokens.
#[utoipa::path(
    post, path = "/auth/refresh", tag = PEOPLE,
    request_body(content(
        (RefreshRequest = "application/json"),
        (RefreshRequest = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "The next tokens", body = TokenReply),
        BodyErrors, SignInErrors,
    ),
)]
#[worker::send]
pub async fn refresh(
    context: RequestContext,
    headers: HeaderMap,
    FormDocument(body): FormDocument<RefreshRequest>,
) -> Result<Json<TokenReply>, ApiError> {
    let address = network(&headers);
    people::refresh(&context, address.as_deref(), &body.refresh_token).await.map(shown).map(Json)
}

/// Ends a sign-in, or all of the user's. Its tokens are refused from now on.
///
/// It goes by the access token, or by the refresh token where that has expired. A token that is
/// over has nothing to end, and is no error.
#[utoipa::path(
    post, path = "/auth/logout", tag = PEOPLE,
    request_body(content = SignOutRequest, description = "May be left out"),
    responses(
        (status = 200, description = "It has ended", body = SignOutReply),
        BodyErrors, SignInErrors,
    ),
    security((), ("user_token" = [])),
)]
#[worker::send]
pub async fn logout(
    Anyone(caller): Anyone,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<SignOutRequest>,
) -> Result<Json<SignOutReply>, ApiError> {
    let database = context.database()?;
    let person = caller.as_ref().and_then(|caller| caller.person());
    let found = match (person, &body.refresh_token) {
        (Some(person), _) => {
            let it = (&person.user_id, &person.session_id, &person.account);
            Some((it.0.clone(), it.1.clone(), it.2.clone()))
        }
        (None, Some(sent)) => people::session_of(&database, sent)
            .await?
            .map(|it| (it.user_id, it.session_id, it.account_id)),
        (None, None) => return Err(SignInFault::TokenRequired.into()),
    };
    let mut sessions_ended = 0;
    if let Some((user_id, session, account)) = found {
        let now = now();
        let everywhere = body.everywhere.unwrap_or(false);
        let end = match everywhere {
            true => sessions::end_all(&user_id, now, "signed_out", None),
            false => sessions::end(&session, now, "signed_out"),
        };
        sessions_ended = database.query(end).await?.count();
        security::note(
            &context,
            Event {
                kind: Kind::SignedOut,
                account: Some(account),
                actor: ("user".to_owned(), user_id.clone()),
                subject: user_id,
                address: network(&headers),
                reason: if everywhere { "everywhere" } else { "one session" },
            },
        );
    }
    Ok(Json(SignOutReply { status: "signed_out".to_owned(), sessions_ended }))
}

fn shown(tokens: Tokens) -> TokenReply {
    let expires_in = u32::try_from(token::LIFETIME.get() / 1000);
    TokenReply {
        access_token: tokens.access,
        token_type: "bearer".to_owned(),
        expires_in: expires_in.expect("half an hour is a small number of seconds"),
        refresh_token: tokens.refresh,
    }
}
