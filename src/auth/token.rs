//! Access tokens: JSON Web Tokens (RFC 7519) under HS256, with the claims of RFC 9068. A token says
//! who signed in and in which session, and nothing of rights: those are read from the database.
//!
//! It must know one algorithm. Whatever a token says of how it was made, it is checked as HS256 or
//! not at all.

use std::collections::HashSet;

use engine::time::{Millis, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use signature::{Signer, Verifier};
use uuid::Uuid;

use crate::config::{Secret, Secrets};
use crate::error::{ApiError, SignInFault};

/// How long a token is accepted.
pub const LIFETIME: Millis = Millis::from_secs(30 * 60);
/// How far the clocks of two places of the platform may be apart.
const LEEWAY_S: u64 = 5;
/// The longest token that is looked at; ours have about 400 bytes.
const BYTES_MAX: usize = 2_048;
const ISSUER: &str = "bitware-orchestrator";
const AUDIENCE: &str = "bitware-orchestrator";
/// What kind of token it is (RFC 9068, section 2.1).
const KIND: &str = "at+jwt";

/// What a token that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Who.
    pub user_id: String,
    /// Signed in when.
    pub session_id: String,
}

/// Why a token does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no key to check it with.
    NotConfigured,
    /// It did hold.
    Expired,
    /// It never did, or not yet; the word is for the log.
    Invalid(&'static str),
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// Whether a bearer is meant as a token: it has the form of one, or is a refresh token.
pub fn is_meant(bearer: &[u8]) -> bool {
    let dots = bearer.iter().filter(|byte| **byte == b'.').count();
    dots == 2 || bearer.starts_with(b"eyJ") || bearer.starts_with(super::REFRESH_PREFIX.as_bytes())
}

/// Makes a token.
pub fn issue(key: &Secret, who: &Checked, now: Timestamp) -> String {
    install();
    let at = seconds(now);
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: who.user_id.clone(),
        sid: who.session_id.clone(),
        jti: Uuid::now_v7().to_string(),
        iat: at,
        nbf: at,
        exp: at + LIFETIME.get() / 1000,
    };
    let header = Header { typ: Some(KIND.to_owned()), ..Header::new(Algorithm::HS256) };
    let key = EncodingKey::from_secret(key.reveal().as_bytes());
    jsonwebtoken::encode(&header, &claims, &key).expect("claims are JSON, and HMAC takes any key")
}

/// What a token says, if it holds under the key or under the one before it.
pub fn check(secrets: &Secrets, token: &[u8], now: Timestamp) -> Result<Checked, Fault> {
    let current = secrets.secret_key.as_ref().ok_or(Fault::NotConfigured)?;
    if token.len() > BYTES_MAX {
        return Err(Fault::Invalid("oversized"));
    }
    let found = check_with(current, token, now);
    match (&found, &secrets.secret_key_previous) {
        (Err(Fault::Invalid("signature")), Some(previous)) => check_with(previous, token, now),
        _ => found,
    }
}

fn check_with(key: &Secret, token: &[u8], now: Timestamp) -> Result<Checked, Fault> {
    install();
    let key = DecodingKey::from_secret(key.reveal().as_bytes());
    let decoded = jsonwebtoken::decode::<Claims>(token, &key, &validation());
    let decoded = decoded.map_err(|error| fault(&error))?;
    let kind = decoded.header.typ.as_deref();
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(KIND)) {
        return Err(Fault::Invalid("type"));
    }
    let Claims { sub, sid, iat, nbf, exp, .. } = decoded.claims;
    // What was made later than now, or for longer than we make it, was not made here.
    if iat > seconds(now) + LEEWAY_S || nbf < iat || exp > iat + LIFETIME.get() / 1000 {
        return Err(Fault::Invalid("time"));
    }
    Ok(Checked { user_id: sub, session_id: sid })
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.required_spec_claims =
        HashSet::from(["iss", "aud", "sub", "nbf", "exp"].map(str::to_owned));
    validation
}

fn fault(error: &Error) -> Fault {
    Fault::Invalid(match error.kind() {
        ErrorKind::ExpiredSignature => return Fault::Expired,
        ErrorKind::InvalidSignature => "signature",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "algorithm",
        ErrorKind::ImmatureSignature => "time",
        ErrorKind::InvalidIssuer => "issuer",
        ErrorKind::InvalidAudience => "audience",
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => "claims",
        _ => "malformed",
    })
}

fn seconds(at: Timestamp) -> u64 {
    at.as_millis().unsigned_abs() / 1000
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotConfigured => Self::AuthNotConfigured { secret: crate::config::SECRET_KEY },
            Fault::Expired => SignInFault::TokenExpired.into(),
            Fault::Invalid(reason) => SignInFault::TokenInvalid { reason }.into(),
        }
    }
}

/// HMAC with SHA-256, for the crate that knows the form of tokens. It has implementations of its
/// own, with every other algorithm beside them.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: &Algorithm, key: &[u8]) -> Result<Self, Error> {
        match algorithm {
            Algorithm::HS256 => {}
            _ => return Err(ErrorKind::InvalidAlgorithm.into()),
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Self(mac))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// Tells the crate what to sign and verify with; the first time counts, the others are the same.
fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| {
            Ok(Box::new(Hs256::new(algorithm, key.try_get_as_bytes()?)?))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    PROVIDER.install_default().ok();
}

#[cfg(test)]
mod tests;
