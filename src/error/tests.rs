//! Codes, words and what may not be said.

use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::*;

fn violation(pointer: &str) -> Violation {
    Violation { pointer: pointer.into(), code: "minimum".into(), message: "too small".into() }
}

#[test]
fn every_code_stands_in_the_documentation() {
    let page = include_str!("../../docs/errors.md");
    for code in ErrorCode::ALL {
        let heading = format!("### `{}`", code.as_str());
        let section = page.split(&heading).nth(1).unwrap_or_else(|| panic!("{heading}"));
        let section = section.split("\n### ").next().unwrap();
        assert!(section.contains(&format!("Status {}.", code.status().as_u16())), "{heading}");
        for part in ["Cause:", "Cure:"] {
            assert!(section.contains(part), "{heading} lacks {part}");
        }
    }
    let documented = page.matches("\n### `").count();
    assert_eq!(documented, ErrorCode::ALL.len(), "a code stands there that does not exist");
}

/// A code that the table lacks would reach clients as `execution.refused`.
#[test]
fn every_code_that_the_engine_refuses_with_is_in_the_table() {
    let source = include_str!("../../crates/engine/src/execution/refusal.rs");
    let codes = codes_in(source);
    assert!(codes.len() >= 15, "{codes:?}");
    assert!(codes.contains("step.compensated") && codes.contains("budget.not_raised"), "{codes:?}");
    let lacking = codes.iter().filter(|code| ErrorCode::parse(code).is_none());
    assert_eq!(lacking.collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn the_search_for_codes_takes_codes_alone() {
    let source =
        r#"refuse("a.b_c", format!("step `{x}`: no.")); ["e", "F.g", ".h", "i.", "j.k l"]"#;
    assert_eq!(codes_in(source).into_iter().collect::<Vec<_>>(), ["a.b_c"]);
}

/// The string literals that read like codes.
fn codes_in(source: &str) -> std::collections::BTreeSet<&str> {
    let part = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let literals = source.split('"').skip(1).step_by(2);
    literals.filter(|text| text.contains('.') && text.split('.').all(part)).collect()
}

#[test]
fn codes_are_unique() {
    let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), ErrorCode::ALL.len());
}

#[test]
fn the_words_of_the_contract_do_not_change() {
    let name = "nope".to_owned();
    for (error, status, words) in [
        (ApiError::ApiKeyRequired, 401, "API key required"),
        (ApiError::ApiKeyInvalid, 401, "API key required"),
        (ApiError::WorkerRequired, 401, "Worker authentication required"),
        (ApiError::TopicMissing { violations: vec![] }, 400, "Missing required field: topic"),
        (ApiError::TemplateNotFound { name }, 404, "Pipeline template 'nope' not found"),
        (ApiError::PipelineNotFound, 404, "Pipeline not found"),
        (ApiError::RouteUnknown, 404, "Endpoint not found"),
    ] {
        assert_eq!(error.reply("r", "t".into()).error, words);
        assert_eq!(error.into_response().status().as_u16(), status);
    }
}

#[test]
fn a_cause_never_reaches_the_caller() {
    for error in [
        ApiError::Internal { cause: "the table of secrets".into() },
        ApiError::DatabaseUnavailable { cause: "the table of secrets".into() },
        ApiError::BindingMissing { name: "the table of secrets".into() },
    ] {
        let reply = serde_json::to_string(&error.reply("r", "t".into())).unwrap();
        assert!(!reply.contains("secrets"), "{reply}");
        assert_eq!(error.cause(), Some("the table of secrets"));
    }
}

#[test]
fn violations_are_listed_and_the_detail_stays_short() {
    let error = ApiError::RequestInvalid((0..8).map(|n| violation(&format!("/{n}"))).collect());
    let reply = error.reply("r", "t".into());
    assert_eq!(reply.violations.len(), 8);
    assert!(reply.detail.starts_with("/0: too small; /1: too small"));
    assert!(reply.detail.ends_with("; and 3 more"));
}

#[test]
fn a_failed_execution_names_itself() {
    let id: ExecutionId = "pipe_1_00000000000000000000000000".parse().unwrap();
    let code = "worker.failed".to_owned();
    let error = ApiError::ExecutionFailed { id, code, message: "fetch: 500".into() };
    let reply = error.reply("r", "t".into());
    assert_eq!(reply.pipeline_id.as_deref(), Some("pipe_1_00000000000000000000000000"));
    assert_eq!(reply.detail, "fetch: 500 (worker.failed)");
    assert_eq!(error.into_response().status(), StatusCode::BAD_GATEWAY);
}
