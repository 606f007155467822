//! Owns which request means what. It must not read a body or a credential.

use http::Method;

use crate::error::{Allow, WorkerError};
use crate::info::{Operation, WorkerInfo};

/// Where a request goes.
#[derive(Debug)]
pub enum Route {
    /// `GET /health`
    Health,
    /// `GET /help`
    Help,
    /// `GET /capabilities`
    Capabilities,
    /// One of the worker's own operations.
    Operation(&'static Operation),
}

/// Finds the route; an unknown path is 404, a known one with another method 405.
pub fn route(info: &WorkerInfo, method: &Method, path: &str) -> Result<Route, WorkerError> {
    let public = match path {
        "/health" => Some(Route::Health),
        "/help" => Some(Route::Help),
        "/capabilities" => Some(Route::Capabilities),
        _ => None,
    };
    if let Some(route) = public {
        return if *method == Method::GET { Ok(route) } else { Err(wrong_method(Allow::Get)) };
    }
    let operation =
        info.operations.iter().find(|operation| operation.path == path).ok_or_else(unknown)?;
    if *method == Method::POST {
        Ok(Route::Operation(operation))
    } else {
        Err(wrong_method(Allow::Post))
    }
}

/// 404 for a path that no worker has.
pub fn unknown() -> WorkerError {
    WorkerError {
        retryable: Some(false),
        ..WorkerError::new(404, "route.unknown", "Endpoint not found")
    }
}

/// 405 with the methods that the path takes.
pub fn wrong_method(allow: Allow) -> WorkerError {
    WorkerError {
        allow: Some(allow),
        retryable: Some(false),
        ..WorkerError::new(405, "route.method", "Method not allowed")
    }
    .with_detail(format!("This endpoint takes {}", allow.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: WorkerInfo = WorkerInfo {
        name: "echo",
        version: "1",
        description: "",
        operations: &[Operation {
            path: "/echo",
            summary: "",
            input: "{}",
            output: "{}",
            estimated_cost_usd: 0.0,
        }],
    };

    #[test]
    fn paths_and_methods_decide() {
        assert!(matches!(route(&INFO, &Method::GET, "/health"), Ok(Route::Health)));
        assert!(matches!(route(&INFO, &Method::GET, "/help"), Ok(Route::Help)));
        assert!(matches!(route(&INFO, &Method::GET, "/capabilities"), Ok(Route::Capabilities)));
        let found = route(&INFO, &Method::POST, "/echo");
        assert!(matches!(found, Ok(Route::Operation(operation)) if operation.path == "/echo"));
    }

    #[test]
    fn a_wrong_method_names_the_right_one() {
        let error = route(&INFO, &Method::GET, "/echo").unwrap_err();
        assert_eq!((error.status, error.allow), (405, Some(Allow::Post)));
        let error = route(&INFO, &Method::DELETE, "/health").unwrap_err();
        assert_eq!((error.status, error.allow), (405, Some(Allow::Get)));
    }

    #[test]
    fn an_unknown_path_is_404_with_the_agreed_message() {
        for path in ["/", "/echo/", "/nope", ""] {
            let error = route(&INFO, &Method::POST, path).unwrap_err();
            assert_eq!((error.status, error.message.as_str()), (404, "Endpoint not found"));
        }
    }
}
