//! Links to the content of artifacts, for whoever has no credential: a browser, a colleague. A link
//! names the account, the artifact, what it allows and when it ends, and is signed with a key that
//! is derived from the secret that this installation shares with its workers; a new secret ends
//! every link.

use std::marker::PhantomData;

use api_types::registry::{ArtifactLink, LinkMethod, LinkQuery, LinkRequest};
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use engine::time::{Millis, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::artifacts::missing;
use super::{Id, created};
use crate::auth::{Administer, Authorized, Caller, ClientRead, Need};
use crate::clock::now;
use crate::config::{Secret, WORKER_SHARED_SECRET};
use crate::db::api_keys::hex;
use crate::db::{artifacts, iso};
use crate::error::ApiError;
use crate::extract::{OptionalDocument, Query};
use crate::openapi::{ClientErrors, NotFoundErrors, RegistryBodyErrors, TOOLS};
use crate::request::RequestContext;

const EXPIRES_IN_S_DEFAULT: u32 = 3600;
/// What the key of links is derived with, so that it signs nothing else.
const PURPOSE: &[u8] = b"bitware artifact links 1";

/// Makes a link to the content of an artifact: whoever has it needs no credential. A link that
/// stores takes the right to administer, one that reads the right to read.
#[utoipa::path(
    post, path = "/artifacts/{artifact_id}/links", tag = TOOLS,
    params(("artifact_id" = String, Path, description = "The artifact's id", format = "uuid")),
    request_body = Option<LinkRequest>,
    responses(
        (status = 201, description = "The link; Location is the same", body = ArtifactLink),
        RegistryBodyErrors, NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn create_link(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Id(id): Id,
    OptionalDocument(request): OptionalDocument<LinkRequest>,
) -> Result<Response, ApiError> {
    let LinkRequest { expires_in_s, method } = request;
    let (method, caller) = (method.unwrap_or(LinkMethod::Get), &authorized.caller);
    if method == LinkMethod::Put && !Administer::permits(caller) {
        return Err(ApiError::ScopeMissing { scope: Administer::SCOPE.as_str() });
    }
    let account = caller.account();
    let found = artifacts::by_id(&context.database()?, account, &id).await?;
    found.ok_or_else(|| missing(&id))?;
    let lifetime = Millis::from_secs(expires_in_s.unwrap_or(EXPIRES_IN_S_DEFAULT).into());
    let expires_s = now().plus(lifetime).as_millis() / 1000;
    let claim = Claim { method, account, id: &id, expires_s };
    let signature = hex(&claim.mac(secret(&context)?).finalize().into_bytes());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("account", account)
        .append_pair("expires", &expires_s.to_string())
        .append_pair("signature", &signature)
        .finish();
    let base = context.config().public_base_url.clone().unwrap_or_default();
    let url = format!("{base}/artifacts/{id}/content?{query}");
    let expires_at = iso(Timestamp::from_millis(expires_s * 1000));
    let link = ArtifactLink { url: url.clone(), method, expires_at };
    Ok(created(&Json(link).0, url))
}

/// Whose artifact a request may reach: that of the link that it is, or of its credentials.
pub struct Holder<N> {
    /// The account.
    pub account: String,
    need: PhantomData<N>,
}

impl<S: Send + Sync, N: Need> FromRequestParts<S> for Holder<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let Query(link) = Query::<LinkQuery>::from_request_parts(parts, state).await?;
        let account = match link {
            LinkQuery { account: None, expires: None, signature: None } => {
                let authorized = Authorized::<N>::from_request_parts(parts, state).await?;
                Caller::account(&authorized.caller).to_owned()
            }
            link => {
                let Id(id) = Id::from_request_parts(parts, state).await?;
                let account = check(&context, &parts.method, &id, link)?;
                context.note(|notes| notes.account = Some(account.clone()));
                account
            }
        };
        Ok(Self { account, need: PhantomData })
    }
}

fn check(
    context: &RequestContext,
    method: &Method,
    id: &str,
    link: LinkQuery,
) -> Result<String, ApiError> {
    let refuse = |message| ApiError::LinkInvalid { message };
    let LinkQuery { account, expires, signature } = link;
    let (Some(account), Some(expires), Some(signature)) = (account, expires, signature) else {
        return Err(refuse("It is not complete"));
    };
    let method = if method == Method::PUT { LinkMethod::Put } else { LinkMethod::Get };
    let expires_s = i64::try_from(expires).unwrap_or(i64::MAX);
    let claim = Claim { method, account: &account, id, expires_s };
    if !claim.is_signed(secret(context)?, &signature) {
        return Err(refuse("It was not made here, or it was changed"));
    }
    if expires_s <= now().as_millis() / 1000 {
        return Err(refuse("It has expired"));
    }
    Ok(account)
}

fn secret(context: &RequestContext) -> Result<&Secret, ApiError> {
    let secret = context.config().secrets.worker_shared_secret.as_ref();
    secret.ok_or(ApiError::AuthNotConfigured { secret: WORKER_SHARED_SECRET })
}

/// What a link says.
struct Claim<'a> {
    method: LinkMethod,
    account: &'a str,
    id: &'a str,
    expires_s: i64,
}

impl Claim<'_> {
    fn mac(&self, secret: &Secret) -> Hmac<Sha256> {
        let keyed = |key: &[u8]| {
            Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
        };
        let mut derive = keyed(secret.reveal().as_bytes());
        derive.update(PURPOSE);
        let mut mac = keyed(&derive.finalize().into_bytes());
        let Self { method, account, id, expires_s } = self;
        let method = match method {
            LinkMethod::Get => "GET",
            LinkMethod::Put => "PUT",
        };
        // No part but the last can have a line break: the id is a UUID.
        mac.update(format!("{method}\n{id}\n{expires_s}\n{account}").as_bytes());
        mac
    }

    /// Whether the signature is this claim's; how long that takes does not depend on how much of
    /// it is right.
    fn is_signed(&self, secret: &Secret, signature: &str) -> bool {
        let digit = |byte: u8| (byte as char).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
        let pairs = signature.as_bytes().chunks(2);
        let bytes = pairs.map(|pair| match pair {
            [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
            _ => None,
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        bytes.is_some_and(|bytes| self.mac(secret).verify_slice(&bytes).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_signature_is_good_for_its_claim_alone() {
        let [secret, other] = ["secret", "other"].map(|text| {
            let config = Config::read(|name| (name == WORKER_SHARED_SECRET).then(|| text.into()));
            config.secrets.worker_shared_secret.unwrap()
        });
        let claim = || Claim {
            method: LinkMethod::Get,
            account: "acme",
            id: "x",
            expires_s: 1_800_000_000,
        };
        let signature = hex(&claim().mac(&secret).finalize().into_bytes());
        assert!(claim().is_signed(&secret, &signature));
        assert!(!claim().is_signed(&other, &signature));
        for changed in [
            Claim { method: LinkMethod::Put, ..claim() },
            Claim { account: "default", ..claim() },
            Claim { id: "y", ..claim() },
            Claim { expires_s: 1_800_000_001, ..claim() },
        ] {
            assert!(!changed.is_signed(&secret, &signature));
        }
        let mut flipped = signature.clone().into_bytes();
        flipped[10] = if flipped[10] == b'0' { b'1' } else { b'0' };
        let flipped = String::from_utf8(flipped).unwrap();
        for bad in ["", "0", "zz", &signature[..62], &flipped, &signature.to_uppercase()] {
            assert!(!claim().is_signed(&secret, bad), "{bad}");
        }
    }
}
