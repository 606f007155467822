//! Compares the environments of every wrangler.toml: bindings and vars are not inherited, so what
//! one environment has and another lacks is missing when it is deployed, and nowhere else.

mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use house::{assert_none, root};
use toml::{Table, Value};

const ENVIRONMENTS: [&str; 4] = ["development", "staging", "production", "enterprise"];
/// Blocks that an environment does not inherit, of those that this project knows.
const NOT_INHERITED: [&str; 11] = [
    "vars",
    "d1_databases",
    "kv_namespaces",
    "r2_buckets",
    "durable_objects",
    "queues",
    "services",
    "ai",
    "analytics_engine_datasets",
    "ratelimits",
    "version_metadata",
];

#[test]
fn every_environment_has_the_same_bindings_and_vars() {
    let mut violations = Vec::new();
    for (path, config) in configs() {
        let Some(environments) = config.get("env").and_then(Value::as_table) else { continue };
        let names: BTreeSet<&str> = environments.keys().map(String::as_str).collect();
        if names != BTreeSet::from(ENVIRONMENTS) {
            violations.push(format!("{path}: environments are {names:?}"));
        }
        let shapes: BTreeMap<&String, BTreeSet<String>> =
            environments.iter().map(|(name, block)| (name, shape(block))).collect();
        let all: BTreeSet<String> = shapes.values().flatten().cloned().collect();
        for (name, shape) in shapes {
            let lacking = all.difference(&shape);
            violations.extend(lacking.map(|what| format!("{path}: {name} lacks {what}")));
        }
    }
    assert_none("environments differ", &violations);
}

#[test]
fn the_local_stack_has_what_the_environments_have() {
    let mut violations = Vec::new();
    for (path, config) in configs() {
        let Some(deployed) = config.get("env").and_then(|env| env.get("production")) else {
            continue;
        };
        let local = shape(&Value::Table(config.clone()));
        let lacking: Vec<_> = shape(deployed).difference(&local).cloned().collect();
        violations.extend(lacking.iter().map(|what| format!("{path}: local lacks {what}")));
    }
    assert_none("the local stack differs", &violations);
}

#[test]
fn sample_feeds_and_local_addresses_stay_on_the_local_stack() {
    let mut violations = Vec::new();
    for (path, config) in configs() {
        let Some(environments) = config.get("env").and_then(Value::as_table) else { continue };
        for (name, block) in environments {
            let vars = &block["vars"];
            if shape(block).contains("services SAMPLE_FEEDS") {
                violations.push(format!("{path}: {name} binds SAMPLE_FEEDS"));
            }
            for var in ["ALLOW_LOCAL_WORKER_URLS", "FEEDS_OFFLINE"] {
                if vars.get(var).is_some_and(|value| value.as_str() != Some("false")) {
                    violations.push(format!("{path}: {name} sets {var}"));
                }
            }
            if vars["ENVIRONMENT"].as_str() != Some(name) {
                violations.push(format!("{path}: {name} calls itself {}", vars["ENVIRONMENT"]));
            }
        }
    }
    assert_none("deployed environments", &violations);
}

#[test]
fn environments_share_no_database_queue_or_service() {
    let mut violations = Vec::new();
    for (path, config) in configs() {
        let Some(environments) = config.get("env").and_then(Value::as_table) else { continue };
        let mut seen = BTreeSet::new();
        for (name, block) in environments {
            for target in targets(block) {
                if !seen.insert(target.clone()) {
                    violations.push(format!("{path}: {name} shares {target}"));
                }
            }
        }
    }
    assert_none("environments share a resource", &violations);
}

/// The environments as the design has them: what an operator is promised.
const PROMISED: [(&str, [&str; 4]); 8] = [
    ("DEFAULT_BUDGET_LIMIT_USD", ["0.50", "1.00", "2.00", "5.00"]),
    ("EMERGENCY_BUDGET_LIMIT_USD", ["2", "5", "10", "25"]),
    ("MAX_CONCURRENT_PIPELINES", ["5", "10", "10", "25"]),
    ("MAX_PIPELINE_TIME_SECONDS", ["120", "300", "300", "600"]),
    ("ATTEMPT_TIMEOUT_SECONDS", ["20", "60", "60", "120"]),
    ("LOG_LEVEL", ["debug", "info", "info", "info"]),
    ("PIPELINE_CACHE_TTL_SECONDS", ["3600"; 4]),
    ("WORKER_HEALTH_CACHE_TTL", ["300"; 4]),
];

#[test]
fn the_environments_have_the_numbers_of_the_design() {
    let (_, config) = orchestrator();
    let mut violations = Vec::new();
    for (name, promised) in PROMISED {
        for (environment, expected) in ENVIRONMENTS.iter().zip(promised) {
            let found = config["env"][environment]["vars"].get(name).and_then(Value::as_str);
            if found != Some(expected) {
                violations.push(format!("{environment}: {name} is {found:?}, not {expected}"));
            }
        }
    }
    assert_none("the environments are not the design's", &violations);
}

#[test]
fn rate_limiters_let_pass_what_their_names_say() {
    let (_, config) = orchestrator();
    let blocks = ENVIRONMENTS.iter().map(|name| (*name, &config["env"][*name]));
    let local = Value::Table(config.clone());
    let mut violations = Vec::new();
    for (environment, block) in blocks.chain([("local", &local)]) {
        for limiter in block["ratelimits"].as_array().expect("they are a list") {
            let name = limiter["name"].as_str().expect("a limiter has a name");
            let simple = &limiter["simple"];
            let says = name.strip_prefix("RATE_").and_then(|number| number.parse().ok());
            let limit = simple["limit"].as_integer();
            if says != limit || simple["period"].as_integer() != Some(60) {
                violations.push(format!("{environment}: {name} is {simple}"));
            }
        }
    }
    assert_none("rate limiters are misnamed", &violations);
}

#[test]
fn a_missing_var_or_binding_is_noticed() {
    let block = |text: &str| Value::Table(text.parse().unwrap());
    let full = shape(&block("vars.A = \"1\"\nservices = [{ binding = \"B\", service = \"b\" }]"));
    assert_eq!(full, BTreeSet::from(["vars A".to_owned(), "services B".to_owned()]));
    let queues = shape(&block("queues.consumers = [{ queue = \"q\", max_batch_size = 1 }]"));
    assert_eq!(queues, BTreeSet::from(["queues.consumers max_batch_size=1".to_owned()]));
}

/// What a block binds: kind and name of each binding, the name of each var.
fn shape(block: &Value) -> BTreeSet<String> {
    let blocks = NOT_INHERITED.iter().filter_map(|kind| Some((*kind, block.get(kind)?)));
    blocks.flat_map(|(kind, value)| names_in(kind, value)).collect()
}

fn names_in(kind: &str, value: &Value) -> Vec<String> {
    if kind == "vars" {
        let vars = value.as_table().expect("vars are a table");
        return vars.keys().map(|name| format!("{kind} {name}")).collect();
    }
    match value {
        Value::Array(list) => list.iter().map(|entry| binding_name(kind, entry)).collect(),
        Value::Table(table) if table.contains_key("binding") => vec![binding_name(kind, value)],
        Value::Table(table) => table
            .iter()
            .flat_map(|(inner, list)| names_in(&format!("{kind}.{inner}"), list))
            .collect(),
        other => panic!("{kind} is {other}"),
    }
}

/// A consumer of a queue has no name: how it consumes stands for it.
fn binding_name(kind: &str, entry: &Value) -> String {
    let name = entry.get("binding").or_else(|| entry.get("name")).and_then(Value::as_str);
    if let Some(name) = name {
        return format!("{kind} {name}");
    }
    let settings = entry.as_table().expect("a binding is a table").iter();
    let numbers = settings.filter(|(_, value)| value.is_integer());
    let text: Vec<String> = numbers.map(|(key, value)| format!("{key}={value}")).collect();
    format!("{kind} {}", text.join(" "))
}

fn targets(block: &Value) -> Vec<String> {
    const KEYS: [(&str, &str); 4] = [
        ("d1_databases", "database_name"),
        ("r2_buckets", "bucket_name"),
        ("services", "service"),
        ("ratelimits", "namespace_id"),
    ];
    let lists = KEYS.iter().filter_map(|(kind, key)| Some((block.get(kind)?.as_array()?, *key)));
    let mut found: Vec<String> = lists
        .flat_map(|(list, key)| list.iter().map(move |entry| entry[key].to_string()))
        .collect();
    let producers = block.get("queues").and_then(|queues| queues.get("producers"));
    let producers = producers.and_then(Value::as_array).into_iter().flatten();
    found.extend(producers.map(|producer| producer["queue"].to_string()));
    found
}

fn orchestrator() -> (String, Table) {
    let found = configs().into_iter().find(|(path, _)| path == "wrangler.toml");
    found.expect("the orchestrator's wrangler.toml lies at the root")
}

fn configs() -> Vec<(String, Table)> {
    let workers = fs::read_dir(root().join("workers")).expect("workers/ can be listed");
    let folders = workers.map(|entry| entry.expect("an entry can be read").path());
    let files = folders.chain([root()]).map(|folder| folder.join("wrangler.toml"));
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).expect("each Worker has a wrangler.toml");
        let inside = path.strip_prefix(root()).expect("it lies in the repository");
        (inside.display().to_string(), text.parse().expect("wrangler.toml is TOML"))
    };
    files.map(read).collect()
}
