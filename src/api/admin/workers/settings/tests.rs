//! What a worker may be: every violation told at once, and what passes makes a plan.

use api_types::admin::NewWorker;
use engine::plan::Plan;

use super::*;

const DEPLOYED: Place<'_> =
    Place { local_addresses_allowed: false, binds: &|name| name == "SUMMARIZER" };
const LOCAL: Place<'_> = Place { local_addresses_allowed: true, ..DEPLOYED };

fn new(value: Value) -> Result<Worker, Vec<Violation>> {
    whole(None, JsonDocument::<NewWorker>::of(value), &DEPLOYED)
}

fn told(result: Result<Worker, Vec<Violation>>) -> Vec<(String, String)> {
    let found = result.expect_err("something is wrong with it");
    let mut told: Vec<_> = found.into_iter().map(|v| (v.pointer, v.code)).collect();
    told.sort();
    told
}

fn full() -> Value {
    json!({
        "worker_name": "summarizer", "display_name": "Summarizer", "description": "Two\nlines.",
        "version": "2.1", "service_binding": "SUMMARIZER", "base_url": "https://s.example.com/v1/",
        "endpoints": ["/summarize", "/condense?hard=1"], "input_format": {"type": "object"},
        "output_format": {}, "dependencies": ["feed_fetcher"], "estimated_cost_usd": 0.002,
        "avg_response_time_ms": 800, "timeout_ms": 20000, "max_retries": 0, "max_concurrency": 8,
        "max_per_minute": 90, "breaker": {"failures": 3}, "quality_score": 0.9, "is_active": true,
        "health_check_endpoint": "/healthz", "default_config": {"length": 3},
    })
}

#[test]
fn what_is_left_out_has_its_default_and_zero_is_a_price() {
    let worker = new(json!({"worker_name": "w", "base_url": "https://w.example.com"})).unwrap();
    assert_eq!(worker.endpoints, json!(["/"]));
    assert_eq!((worker.estimated_cost_usd, worker.breaker.clone()), (None, None));
    assert!(worker.is_active);
    let text = (worker.version.as_str(), worker.health_check_endpoint.as_str());
    assert_eq!(text, ("1.0.0", "/health"));
    let free = json!({
        "worker_name": "w", "base_url": "https://w.example.com", "estimated_cost_usd": 0,
    });
    assert_eq!(new(free).unwrap().estimated_cost_usd, Some(0.0));
}

#[test]
fn a_document_becomes_a_worker_and_that_the_same_document() {
    let worker = new(full()).unwrap();
    let mut document = document(&worker);
    document["worker_name"] = "summarizer".into();
    assert_eq!(document, full());
    let again = whole(Some("summarizer"), JsonDocument::<WorkerDocument>::of(document), &DEPLOYED);
    assert_eq!(again.unwrap(), worker);
}

#[test]
fn what_was_read_can_be_sent_back() {
    let worker = Worker { health_status: "degraded".into(), ..new(full()).unwrap() };
    let registered = Registered { worker: worker.clone(), ..Registered::default() };
    let read = json!(shown(registered, Some(vec!["t".into()])));
    assert_eq!(read["health_status"], "degraded");
    let back = whole(Some("summarizer"), JsonDocument::<WorkerDocument>::of(read), &DEPLOYED);
    assert_eq!(back.unwrap(), Worker { health_status: String::new(), ..worker });
}

#[test]
fn every_violation_is_told_at_once_those_of_the_form_beside_the_others() {
    let bad = new(json!({
        "worker_name": "no blanks", "price": 1, "estimated_cost_usd": -1, "timeout_ms": 0,
        "service_binding": "NOBODY", "base_url": "https://10.0.0.1/",
        "endpoints": ["x", "/a", "/a"],
        "dependencies": ["a b", "w", "w"], "breaker": {"window": 0}, "max_retries": "many",
        "health_check_endpoint": "health", "description": "bell \u{7}", "quality_score": 2,
        "input_format": {"x": "y".repeat(JSON_BYTES_MAX)}, "default_config": [],
    }));
    let expected = [
        ("/base_url", "url.private_address"),
        ("/breaker/window", "minimum"),
        ("/default_config", "type"),
        ("/dependencies/0", "pattern"),
        ("/dependencies/2", "uniqueItems"),
        ("/description", "pattern"),
        ("/endpoints/0", "worker.malformed_endpoint"),
        ("/endpoints/2", "uniqueItems"),
        ("/estimated_cost_usd", "minimum"),
        ("/health_check_endpoint", "worker.malformed_endpoint"),
        ("/input_format", "too_large"),
        ("/max_retries", "type"),
        ("/price", "unknown_field"),
        ("/quality_score", "maximum"),
        ("/service_binding", "worker.binding_unknown"),
        ("/timeout_ms", "minimum"),
        ("/worker_name", "pattern"),
    ];
    let expected = expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
    assert_eq!(told(bad), expected);
    assert_eq!(told(new(json!({}))).len(), 2, "a name and an address are required");
    assert_eq!(told(new(json!([])))[0].1, "type");
    let url = json!({"worker_name": "w", "base_url": 7});
    assert_eq!(told(new(url)), [("/base_url".to_owned(), "type".to_owned())]);
}

#[test]
fn no_spelling_of_a_private_address_is_registered() {
    let address = |url: &str, place: &Place<'_>| {
        let value = json!({"worker_name": "w", "base_url": url});
        whole(None, JsonDocument::<NewWorker>::of(value), place).map_err(|found| {
            assert!(found.iter().all(|violation| violation.pointer == "/base_url"), "{found:?}");
            found[0].code.clone()
        })
    };
    for bad in [
        "https://127.0.0.1",
        "https://0x7f000001",
        "https://017700000001",
        "https://2130706433",
        "https://127.1",
        "https://127.0.0.1.",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://[fd00::1]",
        "https://169.254.169.254/latest",
        "https://localhost",
        "https://db.internal",
    ] {
        let code = address(bad, &DEPLOYED).expect_err(bad);
        assert!(["url.private_address", "url.local_name"].contains(&code.as_str()), "{bad} {code}");
        assert!(address(bad, &LOCAL).is_ok(), "{bad}");
    }
    for (bad, code) in [
        ("http://w.example.com", "url.scheme"),
        ("ftp://w.example.com", "url.scheme"),
        ("https://user:word@w.example.com", "url.credentials"),
        ("https://w.example.com/?key=1", "url.not_a_base"),
        ("https://w.example.com/#top", "url.not_a_base"),
        (" https://w.example.com", "url.malformed"),
        ("w.example.com", "url.malformed"),
    ] {
        assert_eq!(address(bad, &DEPLOYED).expect_err(bad), code, "{bad}");
    }
    assert!(address("http://w.example.com", &LOCAL).is_ok());
}

#[test]
fn a_name_is_for_good() {
    let body = || JsonDocument::<WorkerDocument>::of(full());
    assert_eq!(told(whole(Some("other"), body(), &DEPLOYED))[0].0, "/worker_name");
    let was = new(full()).unwrap();
    assert_eq!(told(patched(&was, json!({"worker_name": "x"}), &DEPLOYED))[0].0, "/worker_name");
    assert!(patched(&was, json!({"worker_name": "summarizer"}), &DEPLOYED).is_ok());
}

#[test]
fn a_patch_changes_what_it_names_and_null_brings_a_default_back() {
    let was = new(full()).unwrap();
    assert_eq!(patched(&was, json!({}), &DEPLOYED).unwrap(), was);
    let patch = json!({
        "estimated_cost_usd": null, "timeout_ms": 5, "version": null,
        "breaker": {"open_ms": 1000}, "default_config": {"length": null, "tone": "dry"},
    });
    let changed = patched(&was, patch, &DEPLOYED).unwrap();
    assert_eq!(changed.breaker, Some(json!({"failures": 3, "open_ms": 1000})));
    assert_eq!(changed.default_config, json!({"tone": "dry"}));
    let same = Worker {
        estimated_cost_usd: was.estimated_cost_usd,
        timeout_ms: was.timeout_ms,
        version: was.version.clone(),
        breaker: was.breaker.clone(),
        default_config: was.default_config.clone(),
        ..changed.clone()
    };
    assert_eq!(same, was, "nothing else is touched");
    assert_eq!((changed.estimated_cost_usd, changed.version.as_str()), (None, "1.0.0"));
    let bad = patched(&was, json!({"timeout_ms": 0, "endpoints": ["x"]}), &DEPLOYED);
    assert_eq!(told(bad)[0].0, "/timeout_ms");
}

#[test]
fn what_was_wrong_before_does_not_stand_in_the_way_of_another_change() {
    let elsewhere = Worker { service_binding: Some("GONE".into()), ..new(full()).unwrap() };
    let patch = |patch| patched(&elsewhere, patch, &DEPLOYED);
    assert_eq!(patch(json!({"max_concurrency": 2})).unwrap().max_concurrency, Some(2));
    let still_gone = told(patch(json!({"service_binding": "GONE_TOO"})));
    assert_eq!(still_gone[0].1, "worker.binding_unknown");
}

/// The limits here are those of plans: a worker that passes never makes a template invalid.
#[test]
fn the_largest_and_smallest_that_pass_make_a_plan() {
    let smallest = json!({
        "worker_name": "w", "base_url": "https://w.example.com", "estimated_cost_usd": 0,
        "timeout_ms": 1, "max_retries": 0, "max_concurrency": 1, "max_per_minute": 1,
        "quality_score": 0, "avg_response_time_ms": 0,
        "breaker": {"failures": 0, "failure_rate": 0, "window": 1, "open_ms": 1},
    });
    let largest = json!({
        "worker_name": "w", "service_binding": "SUMMARIZER", "estimated_cost_usd": 1_000_000,
        "timeout_ms": 840_000, "max_retries": 100, "max_concurrency": 100_000,
        "max_per_minute": 1_000_000, "quality_score": 1, "avg_response_time_ms": 840_000,
        "breaker": {"failures": 100_000, "failure_rate": 1, "window": 1000, "open_ms": 3_600_000},
    });
    for body in [smallest, largest] {
        let worker = new(body.clone()).unwrap();
        let definition = serde_json::from_value(json!({
            "name": "t", "steps": [{ "name": "a", "order": 1, "worker": "w" }],
            "workers": { "w": {
                "service_binding": worker.service_binding, "base_url": worker.base_url,
                "endpoints": worker.endpoints, "version": worker.version, "active": true,
                "timeout_ms": worker.timeout_ms, "max_retries": worker.max_retries,
                "max_concurrency": worker.max_concurrency, "max_per_minute": worker.max_per_minute,
                "breaker": worker.breaker, "quality_score": worker.quality_score,
                "avg_response_time_ms": worker.avg_response_time_ms,
                "default_config": worker.default_config,
            }},
        }));
        let compiled = Plan::compile(&definition.unwrap());
        assert!(compiled.is_ok(), "{body}: {:?}", compiled.err());
    }
    let beyond = new(json!({
        "worker_name": "w", "base_url": "https://w.example.com", "timeout_ms": 840_001,
        "max_retries": 101, "breaker": {"window": 1001, "open_ms": 3_600_001},
    }));
    assert_eq!(told(beyond).len(), 4);
}
