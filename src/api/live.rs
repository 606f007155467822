//! WebSockets: the upgrade of `/ws`, and tickets for it. What is said over them stands in
//! [`crate::live`].

use api_types::ErrorReply;
use api_types::live::{LiveQuery, LiveTicket};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::auth::{ACCOUNT_DEFAULT, Authorized, ClientRead, authorize, has_credential, headers_of};
use crate::clock;
use crate::db::accounts;
use crate::db::api_keys::hex;
use crate::error::{ApiError, LiveFault};
use crate::extract::Query;
use crate::live::{self, Entry, Kept, PROTOCOL, TICKET_LIFE_S, Who};
use crate::openapi::{CLIENT, ClientErrors, QueryErrors};
use crate::request::RequestContext;

/// What stands before a credential among the subprotocols.
const BEARER: &str = "bearer.";
/// Whoever means to authenticate for an account that there is not meets the same as whoever has a
/// credential of another one, in one object for all: this is longer than any account's name.
const NOBODY: &str = "a-place-for-connections-that-name-an-account-which-does-not-exist-here";
/// Random bytes of a ticket.
const TICKET_BYTES: usize = 32;
const TICKET_CHARS_MAX: usize = 256;

/// Opens a WebSocket for live updates, protocol `bitware.v1`.
///
/// The credential comes by header, as a subprotocol `bearer.<token>` beside `bitware.v1`, by a
/// ticket, or as the first message within 10 seconds. docs/live.md describes the messages.
#[utoipa::path(
    get, path = "/ws", tag = CLIENT,
    params(
        LiveQuery,
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "bitware.v1, and \
            bearer.<token> where no other header can be sent", example = "bitware.v1"),
    ),
    responses(
        (status = 101, description = "The protocol is switched: messages follow"),
        (status = 400, description = "bitware.v1 is not among the protocols that are offered, or \
            there is more than one credential", body = ErrorReply),
        (status = 426, description = "The request is no upgrade", body = ErrorReply),
        (status = 429, description = "The account has too many connections", body = ErrorReply),
        QueryErrors, ClientErrors,
    ),
    security((), ("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn ws(
    context: RequestContext,
    headers: HeaderMap,
    Query(query): Query<LiveQuery>,
) -> Result<Response, ApiError> {
    if !has_token(&headers, &header::UPGRADE, "websocket") {
        return Err(LiveFault::UpgradeRequired.into());
    }
    if headers.get(header::ORIGIN).is_some_and(|origin| !may_call(&context, &headers, origin)) {
        return Err(LiveFault::OriginRefused.into());
    }
    let (named, token) = protocols(&headers)?;
    let shown = match token {
        Some(token) => headers_of(&token, None).ok_or(ApiError::ApiKeyInvalid)?,
        None => headers,
    };
    let ways = usize::from(has_credential(&shown)) + usize::from(query.ticket.is_some());
    if ways > 1 || ways == 1 && query.account.is_some() {
        let message = "one credential opens a connection, and says whose it is".to_owned();
        return Err(ApiError::HeaderInvalid { name: "Authorization", message });
    }
    let socket = if has_credential(&shown) {
        let who = live::who(&authorize::<ClientRead>(&context, &shown).await?);
        enter(&context, &who.account, Entry::Known(&who)).await?
    } else if let Some(ticket) = &query.ticket {
        let account = account_of(ticket).ok_or(LiveFault::TicketInvalid)?;
        enter(&context, &account, Entry::Ticket(&hash(ticket))).await?
    } else {
        let account = query.account.as_deref().unwrap_or(ACCOUNT_DEFAULT);
        let known = accounts::by_id(&context.database()?, account).await?.is_some();
        enter(&context, if known { account } else { NOBODY }, Entry::Pending).await?
    };
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    if named {
        let protocol = HeaderValue::from_static(PROTOCOL);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response.extensions_mut().insert(socket);
    Ok(response)
}

/// Makes a ticket that opens one connection, within 30 seconds, with the caller's rights: for
/// browsers, which send no header with a WebSocket.
#[utoipa::path(
    post, path = "/api/v1/ws/ticket", tag = CLIENT,
    responses(
        (status = 201, description = "The ticket; Location is where it is used", body = LiveTicket),
        (status = 429, description = "Too many tickets wait to be used", body = ErrorReply),
        ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn create_ticket(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
) -> Result<Response, ApiError> {
    let who: Who = live::who(&authorized.caller);
    let mut random = [0; TICKET_BYTES];
    clock::fill(&mut random);
    let account = URL_SAFE_NO_PAD.encode(&who.account);
    let ticket = format!("{account}.{}", URL_SAFE_NO_PAD.encode(random));
    live::keep_ticket(context.bindings(), &Kept { hash: hash(&ticket), who }).await?;
    let url = format!("/ws?ticket={ticket}");
    let location = HeaderValue::from_str(&url).expect("base64url is made of header characters");
    let told = LiveTicket { ticket, expires_in: TICKET_LIFE_S, url };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(told)).into_response())
}

async fn enter(
    context: &RequestContext,
    account: &str,
    entry: Entry<'_>,
) -> Result<worker::WebSocket, ApiError> {
    context.note(|notes| notes.account = Some(account.to_owned()));
    live::join(context.bindings(), account, entry).await
}

/// Whether a page may connect: one of an origin that is allowed, or of this host itself.
fn may_call(context: &RequestContext, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let own = |origin: &str| {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok())?;
        let (_, named) = origin.split_once("://")?;
        Some(named == host)
    };
    let own = origin.to_str().ok().and_then(own).unwrap_or(false);
    own || context.config().allowed_origins.allows(origin)
}

/// Whether the client names our protocol among those that it offers, and the credential beside it.
fn protocols(headers: &HeaderMap) -> Result<(bool, Option<String>), ApiError> {
    let refuse = |message: &str| ApiError::HeaderInvalid {
        name: "Sec-WebSocket-Protocol",
        message: message.to_owned(),
    };
    let (mut named, mut token, mut any) = (false, None, false);
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let text = value.to_str().map_err(|_| refuse("it must be ASCII"))?;
        for offered in text.split(',').map(str::trim).filter(|offered| !offered.is_empty()) {
            any = true;
            if offered == PROTOCOL {
                named = true;
            } else if let Some(found) = offered.strip_prefix(BEARER)
                && token.replace(found.to_owned()).is_some()
            {
                return Err(refuse("it has two credentials"));
            }
        }
    }
    match any && !named {
        true => Err(refuse("the protocol is bitware.v1")),
        false => Ok((named, token)),
    }
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|text| text.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// The account that a ticket names, where it has the form of one.
fn account_of(ticket: &str) -> Option<String> {
    let (account, random) = ticket.split_once('.').filter(|_| ticket.len() <= TICKET_CHARS_MAX)?;
    let random = URL_SAFE_NO_PAD.decode(random).ok()?;
    let account = String::from_utf8(URL_SAFE_NO_PAD.decode(account).ok()?).ok()?;
    let fits = random.len() == TICKET_BYTES && (1..=64).contains(&account.len());
    fits.then_some(account)
}

fn hash(ticket: &str) -> String {
    hex(&Sha256::digest(ticket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(text: &'static str) -> Result<(bool, Option<String>), &'static str> {
        let value = HeaderValue::from_static(text);
        let headers = HeaderMap::from_iter([(header::SEC_WEBSOCKET_PROTOCOL, value)]);
        protocols(&headers).map_err(|error| error.code().as_str())
    }

    #[test]
    fn a_credential_may_stand_beside_the_protocol() {
        assert_eq!(protocols(&HeaderMap::new()).unwrap(), (false, None));
        assert_eq!(offered("bitware.v1"), Ok((true, None)));
        assert_eq!(offered("bitware.v1, bearer.a.b.c"), Ok((true, Some("a.b.c".into()))));
        assert_eq!(offered("graphql, bearer.x,bitware.v1"), Ok((true, Some("x".into()))));
        for bad in ["bearer.x", "bitware.v2", "bitware.v1, bearer.x, bearer.y"] {
            assert_eq!(offered(bad), Err("header.invalid"), "{bad}");
        }
    }

    #[test]
    fn a_ticket_names_its_account() {
        let random = URL_SAFE_NO_PAD.encode([7; TICKET_BYTES]);
        assert_eq!(account_of(&format!("YWNtZQ.{random}")).as_deref(), Some("acme"));
        for bad in [
            String::new(),
            random.clone(),
            format!(".{random}"),
            format!("YWNtZQ.{random}x"),
            "YWNtZQ.short".to_owned(),
            format!("{}.{random}", URL_SAFE_NO_PAD.encode("a".repeat(65))),
            format!("__79.{random}"),
        ] {
            assert_eq!(account_of(&bad), None, "{bad}");
        }
    }

    #[test]
    fn an_upgrade_is_one_among_its_words() {
        let has = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            has_token(
                &HeaderMap::from_iter([(header::UPGRADE, value)]),
                &header::UPGRADE,
                "websocket",
            )
        };
        assert!(has("websocket") && has("WebSocket") && has("h2c, websocket"));
        assert!(!has("websockets") && !has(""));
    }
}
