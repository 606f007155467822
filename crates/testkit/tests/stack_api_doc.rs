//! The curl lines of docs/api.md, all of them, in order, in one shell, against a stack: each block
//! is answered with the status that it promises, and no section's endpoint is left unasked.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::Command;

use serde_json::Value;
use testkit::stack::{CLIENT_API_KEY, Stack, StateDir, WORKER_SHARED_SECRET, root, wanted};

/// What a block promises where it says nothing.
const WELL: &str = "2";

/// A block of shell: the line of the page it begins on, the status that it promises, its text.
struct Block {
    line: usize,
    status: String,
    text: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_lines_of_the_page_are_answered_as_it_says() {
    if !wanted() {
        return;
    }
    let text = std::fs::read_to_string(root().join("docs/api.md")).expect("docs/ can be read");
    let blocks = blocks(&text);
    assert!(blocks.len() >= 25, "only {} blocks", blocks.len());
    let state = StateDir::new("api-doc");
    let stack = Stack::start(&state, &["MAX_CONCURRENT_PIPELINES=20"]);
    let script = state.path().join("api.sh");
    std::fs::write(&script, shell(&blocks)).expect("the state folder can be written to");
    let done = Command::new("bash")
        .arg(&script)
        .current_dir(state.path())
        .env("URL", stack.url())
        .env("CLIENT_API_KEY", CLIENT_API_KEY)
        .env("WORKER_SHARED_SECRET", WORKER_SHARED_SECRET)
        .output()
        .expect("bash can be started");
    let told = std::fs::read_to_string(state.path().join("told")).unwrap_or_default();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "the lines end early: {said}\n{told}");

    let mut failures = Vec::new();
    let mut asked = BTreeSet::new();
    for line in told.lines() {
        let [at, promised, status, method, url] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        if !status.starts_with(promised) {
            failures.push(format!("line {at}: {method} {url} is answered {status}"));
        }
        let path = url.trim_start_matches(stack.url()).split('?').next().unwrap_or_default();
        asked.insert(format!("{method} {path}"));
    }
    let document = stack.client().get("/openapi.json").await.expect("the document").body;
    for endpoint in endpoints(&document) {
        if !asked.iter().any(|asked| is_of(asked, &endpoint)) {
            failures.push(format!("nothing asks {endpoint}"));
        }
    }
    assert!(failures.is_empty(), "docs/api.md:\n  {}", failures.join("\n  "));
}

/// The blocks in order, each request with a note of what came of it.
fn shell(blocks: &[Block]) -> String {
    let mut script = String::from(
        "set -euo pipefail\n\
         curl() {\n\
           command curl --silent --show-error --max-time 60 \\\n\
             --write-out \"%{stderr}$AT %{http_code} %{method} %{url_effective}\\n\" \\\n\
             \"$@\" 2>>told\n\
         }\n",
    );
    for Block { line, status, text } in blocks {
        write!(script, "AT='{line} {status}'\n{text}\n").expect("writing to a String never fails");
    }
    script
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                let status = info.strip_prefix("sh").map(str::trim);
                open = true;
                // The page's own keys and address are the test's.
                let kept = status.filter(|status| *status != "setup");
                let status = kept.map(|status| if status.is_empty() { WELL } else { status });
                let status = status.unwrap_or("skip").to_owned();
                found.push(Block { line: number, status, text: String::new() });
            }
            None if open => {
                let block = found.last_mut().expect("a block is open");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    found.retain(|block| block.status != "skip");
    found
}

fn endpoints(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().expect("a document has paths").iter();
    let methods = paths.flat_map(|(path, item)| {
        let methods = item.as_object().expect("a path has methods").keys();
        methods.map(move |method| format!("{} {path}", method.to_ascii_uppercase()))
    });
    methods.collect()
}

/// Whether a request is one of the endpoint, whose path may have names in it.
fn is_of(asked: &str, endpoint: &str) -> bool {
    let (asked, endpoint): (Vec<&str>, Vec<&str>) =
        (asked.split('/').collect(), endpoint.split('/').collect());
    let same = |(asked, named): (&&str, &&str)| named.starts_with('{') || asked == named;
    asked.len() == endpoint.len() && asked.iter().zip(&endpoint).all(same)
}

#[test]
fn a_page_is_read_as_it_stands() {
    let page =
        ["a", "```sh setup", "URL=x", "```", "```sh", "curl a", "```", "```json", "{}", "```"];
    let found = blocks(&[&page[..], &["```sh 409", "curl b", "```"]].concat().join("\n"));
    let found: Vec<(usize, &str, &str)> =
        found.iter().map(|it| (it.line, it.status.as_str(), it.text.as_str())).collect();
    assert_eq!(found, [(5, "2", "curl a\n"), (11, "409", "curl b\n")]);
    assert!(is_of("GET /pipeline/x/why", "GET /pipeline/{id}/why"));
    assert!(!is_of("GET /pipeline/x", "GET /pipeline/{id}/why"));
    assert!(!is_of("POST /pipeline/x", "GET /pipeline/{id}"));
}
