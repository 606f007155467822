//! Bodies that hold secrets, and those that may come as a form. What of them does not fit is told
//! without a word of what was sent.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use engine::plan::Violation;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{BODY_BYTES_MAX, JsonDocument, parse, read, require_json};
use crate::error::ApiError;

const FORM: &str = "application/x-www-form-urlencoded";
/// The most fields of a form.
const FIELDS_MAX: usize = 100;

/// A body that fits the schema of `T`: JSON, or a form of the same fields.
pub struct FormDocument<T>(pub T);

impl<S: Sync, T: DeserializeOwned + ToSchema + 'static> FromRequest<S> for FormDocument<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let form = is_form(&parts.headers);
        if !form {
            require_json(&parts.headers)?;
        }
        let bytes = read::<BODY_BYTES_MAX>(&parts.headers, body).await?;
        let document = if form { from_form(&bytes) } else { parse::<T>(&bytes)? };
        document.typed_in_secret().map(Self)
    }
}

impl<T: DeserializeOwned> JsonDocument<T> {
    /// The body as its type, unless something does not fit: then without what was sent, which may
    /// be a secret.
    pub fn typed_in_secret(self) -> Result<T, ApiError> {
        self.typed().map_err(|error| match error {
            ApiError::RequestInvalid(found) => {
                ApiError::RequestInvalid(found.into_iter().map(silenced).collect())
            }
            other => other,
        })
    }
}

fn silenced(violation: Violation) -> Violation {
    let message = match violation.code.as_str() {
        // These name what is allowed, and nothing of what came.
        "unknown_field" | "required" | "duplicate" | "enum" => violation.message,
        "type" => "is of another type".to_owned(),
        "pattern" => "has another form than the OpenAPI document says".to_owned(),
        "minLength" => "is too short".to_owned(),
        "maxLength" => "is too long".to_owned(),
        _ => "does not fit its schema".to_owned(),
    };
    Violation { message, ..violation }
}

fn is_form(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(FORM)
}

/// The fields as members of an object. One that is empty counts as left out: that is how forms say
/// it.
fn from_form<T: ToSchema + 'static>(bytes: &[u8]) -> JsonDocument<T> {
    let mut members = Map::new();
    let mut twice = Vec::new();
    for (name, text) in url::form_urlencoded::parse(bytes).take(FIELDS_MAX) {
        if text.is_empty() {
            continue;
        }
        if members.insert(name.to_string(), Value::String(text.into_owned())).is_some() {
            let pointer = format!("/{}", crate::schema::escape(&name));
            let message = "is given more than once".to_owned();
            twice.push(Violation { pointer, code: "duplicate".to_owned(), message });
        }
    }
    let mut document = JsonDocument::of(Value::Object(members));
    document.violations.extend(twice);
    document
}

#[cfg(test)]
mod tests {
    use api_types::people::SignInRequest;
    use axum::body::Body;

    use super::*;

    async fn sent(media_type: &str, body: &str) -> Result<SignInRequest, ApiError> {
        let request = Request::builder().header("content-type", media_type);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        FormDocument::from_request(request, &()).await.map(|it| it.0)
    }

    #[tokio::test]
    async fn a_form_and_json_say_the_same() {
        let form = "username=ada%40example.com&password=a+b%26c&grant_type=password&scope=";
        let json = r#"{"username":"ada@example.com","password":"a b&c","grant_type":"password"}"#;
        let (form, json) = (sent(FORM, form).await.unwrap(), sent("application/json", json).await);
        assert!(form == json.unwrap());
        assert_eq!((form.username.as_str(), form.password.as_str()), ("ada@example.com", "a b&c"));
        let other = sent("text/plain", "username=a&password=b").await.err().unwrap();
        assert_eq!(other.code().as_str(), "body.media_type");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_without_what_was_sent() {
        for (media_type, body, pointer) in [
            ("application/json", r#"{"username":"a","password":["hush-hush"]}"#, "/password"),
            ("application/json", r#""hush-hush""#, ""),
            (FORM, "username=a&password=hush-hush&password=hush-hush", "/password"),
            (FORM, "username=a&password=&passwort=hush-hush", "/password"),
        ] {
            let error = sent(media_type, body).await.err().unwrap();
            let reply = error.reply("r", String::new());
            assert_eq!(reply.code, "request.invalid", "{body}");
            assert!(reply.violations.iter().any(|it| it.pointer == pointer), "{body}");
            let told = serde_json::to_string(&reply).unwrap();
            assert!(!told.contains("hush"), "{told}");
        }
    }
}
