//! The 422 of the tool registry, whose clients know it from FastAPI services: `detail` is a list of
//! places and messages. Everything else of the error form stays as it is everywhere.

use api_types::registry::{InvalidField, LocationPart, ValidationReply};
use api_types::{ErrorReply, Violation};

use super::ErrorCode;

/// Marks the reply of an endpoint whose 422 has a list as its `detail`.
#[derive(Clone, Copy, Debug)]
pub struct DetailList;

/// The reply with a list as its `detail`, where it says what does not fit.
pub fn with_detail_list(reply: ErrorReply) -> Result<ValidationReply, Box<ErrorReply>> {
    let place = match ErrorCode::parse(&reply.code) {
        Some(ErrorCode::RequestInvalid) => "body",
        Some(ErrorCode::QueryInvalid) => "query",
        Some(ErrorCode::PathInvalid) => "path",
        _ => return Err(Box::new(reply)),
    };
    let ErrorReply {
        status,
        error,
        detail: _,
        code,
        request_id,
        timestamp,
        pipeline_id: _,
        pipeline_url: _,
        current: _,
        violations,
        retry_suggestions,
    } = reply;
    let detail = violations.iter().map(|violation| invalid(place, violation)).collect();
    Ok(ValidationReply {
        status,
        error,
        detail,
        code,
        request_id,
        timestamp,
        violations,
        retry_suggestions,
    })
}

fn invalid(place: &str, violation: &Violation) -> InvalidField {
    let parts = violation.pointer.split('/').skip(1).map(|part| {
        let name = part.replace("~1", "/").replace("~0", "~");
        name.parse().map_or_else(|_| LocationPart::Name(name), LocationPart::Index)
    });
    InvalidField {
        loc: std::iter::once(LocationPart::Name(place.to_owned())).chain(parts).collect(),
        msg: violation.message.clone(),
        kind: kind(&violation.code).to_owned(),
    }
}

/// The word that pydantic has for a violation.
fn kind(code: &str) -> &str {
    match code {
        "required" => "missing",
        "unknown_field" => "extra_forbidden",
        "type" => "type_error",
        "minLength" => "string_too_short",
        "maxLength" => "string_too_long",
        "pattern" => "string_pattern_mismatch",
        "minimum" => "greater_than_equal",
        "maximum" => "less_than_equal",
        "uuid" => "uuid_parsing",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::error::ApiError;

    fn form(error: &ApiError) -> serde_json::Value {
        match with_detail_list(error.reply("r-1", String::new())) {
            Ok(reply) => to_value(reply).unwrap(),
            Err(reply) => to_value(*reply).unwrap(),
        }
    }

    fn violation(pointer: &str, code: &str) -> engine::plan::Violation {
        let (pointer, code) = (pointer.to_owned(), code.to_owned());
        engine::plan::Violation { pointer, code, message: "is wrong".to_owned() }
    }

    #[test]
    fn what_does_not_fit_is_listed_with_its_place() {
        let found = vec![violation("/name", "required"), violation("/a~1b/3", "odd")];
        let reply = form(&ApiError::RequestInvalid(found));
        assert_eq!(
            reply["detail"],
            json!([
                {"loc": ["body", "name"], "msg": "is wrong", "type": "missing"},
                {"loc": ["body", "a/b", 3], "msg": "is wrong", "type": "odd"},
            ])
        );
        assert_eq!(
            (&reply["code"], reply["violations"].as_array().map(Vec::len)),
            (&json!("request.invalid"), Some(2))
        );
        let reply = form(&ApiError::QueryInvalid(vec![violation("/limit", "maximum")]));
        assert_eq!(reply["detail"][0]["loc"], json!(["query", "limit"]));
        let reply = form(&ApiError::PathInvalid(vec![violation("/tool_id", "uuid")]));
        assert_eq!(reply["detail"][0]["type"], "uuid_parsing");
    }

    #[test]
    fn other_errors_keep_their_detail() {
        let reply = form(&ApiError::ResourceNotFound { kind: "tool", name: "x".into() });
        assert_eq!(reply["detail"], "There is no tool 'x'");
    }
}
