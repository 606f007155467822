//! A backup of a database that was used, restored into a fresh one: every table has the same rows.
//! A damaged backup and a database that is not empty are refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::stack::{Stack, StateDir, root, wanted};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_restores_every_row() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("backup");
    use_it(&state).await;
    let folder = state.path().join("backups");
    let local = state.path().to_str().expect("paths of tests are text");
    let out = folder.to_str().expect("paths of tests are text");

    let full = PathBuf::from(said(&backup(&["make", "--local", local, "--out", out])));
    let schema = backup(&["make", "--schema-only", "--local", local, "--out", out]);
    let manifest = manifest(&full);
    let tables = manifest["tables"].as_object().expect("tables are counted");
    assert!(tables.len() > 20 && tables["pipeline_executions"] == 2, "{manifest}");
    assert_eq!(left_over(&folder), 4, "two files, each with its manifest");

    let fresh = folder.join("restored");
    let fresh_text = fresh.to_str().expect("paths of tests are text");
    let full_text = full.to_str().expect("paths of tests are text");
    said(&backup(&["restore", full_text, "--local", fresh_text]));
    assert_eq!(dump(&fresh), dump(state.path()));

    let again = backup(&["restore", full_text, "--local", fresh_text]);
    refused(&again, "the database is not empty");
    said(&backup(&["restore", &said(&schema), "--local", fresh_text, "--overwrite"]));
    let empty = dump(&fresh);
    assert_eq!(empty.keys().collect::<Vec<_>>(), dump(state.path()).keys().collect::<Vec<_>>());
    assert!(empty.values().all(|rows| rows == &json!([])), "rows came with the schema");

    let text = std::fs::read_to_string(&full).expect("the backup can be read");
    std::fs::write(&full, text.replacen("'default'", "'elsewhere'", 1)).expect("it is written");
    refused(&backup(&["check", full_text]), "is not what was backed up");
    refused(&backup(&["restore", full_text, "--local", fresh_text, "--overwrite"]), "is not what");
}

/// Two executions, in D1 before the stack stops.
async fn use_it(state: &StateDir) {
    let stack = Stack::start(state, &[]);
    let client = stack.client();
    for topic in ["artificial intelligence", "renewable 'energy'; -- \u{1F331}"] {
        let body = json!({ "topic": topic, "pipeline_template": "basic_research_pipeline" });
        let request = client.request(reqwest::Method::POST, "/orchestrate").json(&body);
        let reply = client.send(client.as_client(request)).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    for _ in 0..100 {
        let request = client.request(reqwest::Method::GET, "/pipeline-history");
        let reply = client.send(client.as_client(request)).await.expect("an answer");
        if reply.body["pipelines"].as_array().is_some_and(|all| all.len() == 2) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the executions are not in D1");
}

fn backup(arguments: &[&str]) -> Output {
    let script = root().join("scripts/backup.sh");
    Command::new(script).args(arguments).current_dir(root()).output().expect("it can be started")
}

fn said(done: &Output) -> String {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

fn refused(done: &Output, why: &str) {
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && error.contains(why), "{error}");
}

fn manifest(file: &Path) -> Value {
    let text = std::fs::read_to_string(format!("{}.json", file.display()));
    serde_json::from_str(&text.expect("a manifest lies beside it")).expect("it is JSON")
}

fn left_over(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("the folder is there").count()
}

/// All rows of all tables, through the script that operators use.
fn dump(state: &Path) -> BTreeMap<String, Value> {
    let tables = query(
        state,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' \
         ESCAPE '!' AND name NOT LIKE '!_cf!_%' ESCAPE '!' \
         AND name NOT LIKE '%!_text!_%' ESCAPE '!' ORDER BY name",
    );
    let names: Vec<String> = tables
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect();
    let sql: Vec<String> = names.iter().map(|name| format!("SELECT * FROM \"{name}\"")).collect();
    let results = queries(state, &sql.join(";"));
    names.into_iter().zip(results).collect()
}

fn query(state: &Path, sql: &str) -> Value {
    queries(state, sql).remove(0)
}

fn queries(state: &Path, sql: &str) -> Vec<Value> {
    let state = state.to_str().expect("paths of tests are text");
    let script = root().join("scripts/d1.sh");
    let done = Command::new(script).args([state, "--json", "--command", sql]).output();
    let text = said(&done.expect("it can be started"));
    let results: Vec<Value> = serde_json::from_str(&text).expect("wrangler prints JSON");
    results.into_iter().map(|mut result| result["results"].take()).collect()
}
