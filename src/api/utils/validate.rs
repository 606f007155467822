//! Whether what somebody wrote is valid, by the checks that it would meet in earnest.

use api_types::admin::TemplateDocument;
use api_types::utils::{ValidateReply, ValidateRequest, ValidationKind};
use axum::Json;
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use engine::expr::{CompileError, Condition, Mapping, MappingRoot};
use engine::plan::Violation;
use engine::time::Timestamp;
use serde_json::Value;

use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::db::iso;
use crate::error::{ApiError, wire_violation};
use crate::extract::{JsonDocument, misfit};
use crate::openapi::{BodyErrors, ClientErrors, UTILS};
use crate::publishing::{self, readable, rows};
use crate::request::RequestContext;
use crate::schema::registered;

/// The most violations that one reply lists.
const VIOLATIONS_MAX: usize = 1000;
/// How many of a cron line's next moments are told.
const NEXT_MAX: usize = 5;
/// The longest cron line that is read.
const CRON_BYTES_MAX: usize = 256;
/// Where the value stands in the body.
const VALUE: &str = "/value";
const EXPRESSION_INVALID: &str = "expression.invalid";

/// Tells whether something is valid, or all that is wrong with it.
///
/// It meets the checks that it would meet in earnest: a template those of publishing, a schema
/// those of tools, an expression those of templates. Nothing is written.
#[utoipa::path(
    post, path = "/api/v1/utils/validate", tag = UTILS,
    request_body = ValidateRequest,
    responses(
        (status = 200, description = "What was found", body = ValidateReply),
        BodyErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn validate(
    _: Authorized<ClientRead>,
    context: RequestContext,
    document: JsonDocument<ValidateRequest>,
) -> Result<Json<ValidateReply>, ApiError> {
    let ValidateRequest { kind, value } = document.typed()?;
    let mut next = None;
    let (violations, warnings) = match kind {
        ValidationKind::Template => template(&context, value).await?,
        ValidationKind::Schema => (registered::check(&value, VALUE), Vec::new()),
        ValidationKind::Expression => (expression(&value), Vec::new()),
        ValidationKind::Condition => (placed(Condition::compile(&value).err()), Vec::new()),
        ValidationKind::Mapping => {
            (placed(Mapping::compile(&value, MappingRoot::Data).err()), Vec::new())
        }
        ValidationKind::Cron => match cron(&value, now()) {
            Ok(moments) => {
                next = Some(moments);
                (Vec::new(), Vec::new())
            }
            Err(violation) => (vec![*violation], Vec::new()),
        },
    };
    let wire = |found: &[Violation]| -> Vec<api_types::Violation> {
        found.iter().take(VIOLATIONS_MAX).map(wire_violation).collect()
    };
    Ok(Json(ValidateReply {
        kind,
        valid: violations.is_empty(),
        violations: wire(&violations),
        warnings: wire(&warnings),
        next,
    }))
}

/// What is wrong with a template's document, and what may not be meant.
async fn template(
    context: &RequestContext,
    value: Value,
) -> Result<(Vec<Violation>, Vec<Violation>), ApiError> {
    let sent = JsonDocument::<TemplateDocument>::of(value);
    let unread = sent.violations;
    let Some(document) = readable(&sent.value, &unread) else {
        let mut unread = unread;
        if unread.is_empty() {
            let parsed = serde_path_to_error::deserialize::<_, TemplateDocument>(sent.value);
            unread.extend(parsed.err().map(|error| misfit(&error)));
        }
        return Ok((within_value(unread), Vec::new()));
    };
    let name = document.name.clone().unwrap_or_default();
    let mut unread = unread;
    if document.name.is_none() && !unread.iter().any(|found| found.pointer == "/name") {
        unread.push(violation("/name", "required", "is required"));
    }
    let rows = rows(&document, &name);
    let (database, urls) = (context.database()?, &context.config().worker_urls);
    let checked = publishing::check(&database, urls, &document, rows, unread).await?;
    Ok((within_value(checked.violations), within_value(checked.warnings)))
}

fn within_value(found: Vec<Violation>) -> Vec<Violation> {
    let within =
        |found: Violation| Violation { pointer: format!("{VALUE}{}", found.pointer), ..found };
    found.into_iter().map(within).collect()
}

/// What is wrong with one expression: a JSONPath where it begins with `$`, else CEL.
fn expression(value: &Value) -> Vec<Violation> {
    let Some(text) = value.as_str() else {
        return vec![violation(VALUE, "type", "is no text")];
    };
    let found = match text.trim_start().starts_with(['=', '$']) {
        true => Mapping::compile(value, MappingRoot::Data).err(),
        false => Condition::compile(value).err(),
    };
    placed(found)
}

fn placed(found: Option<Vec<(String, CompileError)>>) -> Vec<Violation> {
    let found = found.unwrap_or_default().into_iter();
    found
        .map(|(pointer, error)| {
            violation(&format!("{VALUE}{pointer}"), EXPRESSION_INVALID, &error.to_string())
        })
        .collect()
}

/// The next moments of a cron line, or why it is none.
fn cron(value: &Value, from: Timestamp) -> Result<Vec<String>, Box<Violation>> {
    let refuse = |code: &str, message: &str| Box::new(violation(VALUE, code, message));
    let text = value.as_str().ok_or_else(|| refuse("type", "is no text"))?;
    if text.len() > CRON_BYTES_MAX {
        return Err(refuse("length", "is longer than a cron line can be"));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let line: Cron =
        parser.parse(text).map_err(|error| refuse("cron.invalid", &error.to_string()))?;
    let mut at = DateTime::<Utc>::from_timestamp_millis(from.as_millis()).unwrap_or_default();
    let mut next = Vec::new();
    while next.len() < NEXT_MAX {
        match line.find_next_occurrence(&at, false) {
            Ok(moment) => at = moment,
            // One that never comes is a line all the same, and tells no moment.
            Err(_) if next.is_empty() => {
                return Err(refuse("cron.never", "names no moment that will come"));
            }
            Err(_) => break,
        }
        next.push(iso(Timestamp::from_millis(at.timestamp_millis())));
    }
    Ok(next)
}

fn violation(pointer: &str, code: &str, message: &str) -> Violation {
    Violation { pointer: pointer.to_owned(), code: code.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_are_told_apart_by_how_they_begin() {
        for good in ["size(data.a) > 0", "=size(data.a)", "$.a[*].b", "true"] {
            assert_eq!(expression(&json!(good)), Vec::new(), "{good}");
        }
        for bad in ["size(data.a", "=size(data.a", "$.a[", "data.", ""] {
            let found = expression(&json!(bad));
            assert_eq!(found.len(), 1, "{bad}");
            assert_eq!(
                (found[0].pointer.as_str(), found[0].code.as_str()),
                ("/value", "expression.invalid"),
                "{bad}"
            );
        }
        assert_eq!(expression(&json!(3))[0].code, "type");
    }

    #[test]
    fn every_mistake_of_a_mapping_has_its_place() {
        let value = json!({ "a": "=size(", "b": ["$.x[", 1] });
        let found = placed(Mapping::compile(&value, MappingRoot::Data).err());
        let places: Vec<&str> = found.iter().map(|found| found.pointer.as_str()).collect();
        assert_eq!(places, ["/value/a", "/value/b/0"]);
    }

    #[test]
    fn a_cron_line_tells_its_next_moments() {
        // 2026-11-21 is a Saturday.
        let from = Timestamp::from_millis(1_795_255_200_000);
        let next = |line: &str| cron(&json!(line), from);
        let weekdays = next("0 3 * * 1-5").unwrap();
        assert_eq!(weekdays.len(), NEXT_MAX);
        assert_eq!(weekdays[0], "2026-11-23T03:00:00.000Z");
        assert_eq!(weekdays[4], "2026-11-27T03:00:00.000Z");
        for line in ["*/15 * * * *", "0 0 29 2 *", "@daily"] {
            assert!(next(line).is_ok(), "{line}");
        }
        for (line, code) in [
            ("", "cron.invalid"),
            ("60 * * * *", "cron.invalid"),
            ("* * * *", "cron.invalid"),
            ("0 0 3 * * 1-5", "cron.invalid"),
            ("every day", "cron.invalid"),
            ("0 0 30 2 *", "cron.never"),
        ] {
            assert_eq!(next(line).unwrap_err().code, code, "{line}");
        }
        assert_eq!(cron(&json!(5), from).unwrap_err().code, "type");
        assert_eq!(next(&"* ".repeat(300)).unwrap_err().code, "length");
    }
}
