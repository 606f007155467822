//! What of a document can be published and may not be meant. Pure.

use engine::plan::Violation;

use super::pointers::Made;

/// What may not be meant. `health` says how workers were found when they were last asked.
pub(super) fn warnings(made: &Made<'_>, health: &[(String, String)]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut warn = |pointer: String, code: &str, message: String| {
        found.push(Violation { pointer, code: code.to_owned(), message });
    };
    if made.document.is_active == Some(false) {
        let message = "the template is not active: it cannot be started".to_owned();
        warn("/is_active".to_owned(), "template.inactive", message);
    }
    for (name, status) in health {
        let own = made.definition.workers.contains_key(name);
        if own && matches!(status.as_str(), "degraded" | "unhealthy") {
            let message = format!("worker `{name}` was {status} when it was last asked");
            warn(made.worker(name), "worker.unhealthy", message);
        }
    }
    for (at, step) in made.document.steps.iter().enumerate() {
        let worker = step.worker_name.as_ref().and_then(|name| made.definition.workers.get(name));
        if let (Some(endpoint), Some(worker), Some(name)) =
            (&step.endpoint, worker, &step.worker_name)
            && !worker.endpoints.contains(endpoint)
        {
            let listed = worker.endpoints.join(", ");
            let message =
                format!("worker `{name}` is registered with {listed}, not with {endpoint}");
            warn(format!("/steps/{at}/endpoint"), "worker.unlisted_endpoint", message);
        }
        if step.fallback_worker.is_some() && step.fallback_worker == step.worker_name {
            let message = "the fallback is the worker whose attempts were used up".to_owned();
            warn(format!("/steps/{at}/fallback_worker"), "step.same_fallback", message);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use api_types::admin::TemplateDocument;
    use engine::plan::definition::TemplateDefinition;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_published_and_may_not_be_meant_is_told() {
        let document: TemplateDocument = serde_json::from_value(json!({
            "is_active": false,
            "steps": [
                { "step_order": 1, "step_name": "a", "worker_name": "w", "endpoint": "/x",
                  "fallback_worker": "w" },
                { "step_order": 2, "step_name": "b", "worker_name": "v", "endpoint": "/v" },
            ],
        }))
        .unwrap();
        let definition: TemplateDefinition = serde_json::from_value(json!({
            "name": "t", "steps": [],
            "workers": { "w": { "endpoints": ["/a", "/b"] }, "v": { "endpoints": ["/v"] } },
        }))
        .unwrap();
        let made = Made { document: &document, definition: &definition, places: &[0, 1] };
        let health = [("v", "unhealthy"), ("w", "healthy"), ("elsewhere", "unhealthy")]
            .map(|(name, status)| (name.to_owned(), status.to_owned()));
        let found = warnings(&made, &health);
        let told: Vec<(&str, &str)> =
            found.iter().map(|found| (found.pointer.as_str(), found.code.as_str())).collect();
        let expected = [
            ("/is_active", "template.inactive"),
            ("/steps/1/worker_name", "worker.unhealthy"),
            ("/steps/0/endpoint", "worker.unlisted_endpoint"),
            ("/steps/0/fallback_worker", "step.same_fallback"),
        ];
        assert_eq!(told, expected);
        let usual = TemplateDocument::default();
        assert_eq!(warnings(&Made { document: &usual, ..made }, &[]), []);
    }
}
