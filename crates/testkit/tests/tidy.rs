//! Holds the rules of the house (ARCHITECTURE.md) by reading the tree. Each rule is a function from
//! files to violations, and is shown a file that breaks it before it is shown the real ones.

mod house;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use house::{assert_none, root};
use serde_json::Value;
use tree::{SourceFile, files, has_word};

const FILE_LINES_MAX: usize = 400;
const LINE_COLUMNS_MAX: usize = 100;

/// Which crates of the workspace a crate may depend on; whoever is not listed is a worker.
const MAY_DEPEND_ON: [(&str, &[&str]); 9] = [
    ("engine", &[]),
    ("text", &[]),
    ("catalogue", &["text"]),
    ("api-types", &["engine"]),
    ("worker-kit", &["api-types"]),
    ("bitware-orchestrator", &["engine", "api-types", "worker-kit"]),
    ("bench-load", &[]),
    ("bench-engine", &["engine"]),
    ("testkit", &["engine", "api-types", "catalogue", "text", "worker-kit"]),
];
const WORKERS_MAY_DEPEND_ON: &[&str] = &["worker-kit", "api-types", "catalogue", "text"];
const NEVER_IN_ENGINE: &[&str] =
    &["worker", "axum", "js-sys", "web-sys", "wasm-bindgen", "getrandom", "rand", "uuid", "tokio"];

#[test]
fn crates_depend_only_on_what_they_may() {
    let shown = BTreeMap::from([
        ("engine".to_owned(), BTreeSet::from(["api-types".to_owned(), "getrandom".to_owned()])),
        ("feed-fetcher".to_owned(), BTreeSet::from(["engine".to_owned()])),
        ("api-types".to_owned(), BTreeSet::from(["engine".to_owned()])),
    ]);
    assert_eq!(forbidden_dependencies(&shown).len(), 3);
    assert_none("dependencies between crates", &forbidden_dependencies(&dependencies()));
}

#[test]
fn the_engine_has_no_clock_no_chance_and_no_unsafe_code() {
    let shown = file("crates/engine/src/lib.rs", "use std::collections::HashMap;\n");
    assert_eq!(impurities(&[shown]).len(), 2);
    assert_none("purity of the engine", &impurities(&files()));
}

#[test]
fn sql_stands_in_stores_only() {
    let shown = |path| file(path, "const ALL: &str = \"SELECT id FROM jobs\";\n");
    assert_eq!(stray_sql(&[shown("src/api/jobs.rs"), shown("src/db/jobs.rs")]).len(), 1);
    assert_none("SQL outside src/db and store.rs", &stray_sql(&files()));
}

#[test]
fn the_environment_is_touched_at_the_edges_only() {
    let shown = |path| file(path, "fn read(env: &worker::Env) {}\n");
    assert_eq!(stray_env(&[shown("src/driver/drive.rs"), shown("src/config.rs")]).len(), 1);
    assert_none("uses of Env", &stray_env(&files()));
}

#[test]
fn status_codes_are_chosen_in_one_place() {
    let choice = "return StatusCode::CONFLICT.into_response();\n";
    let shown = [
        file("src/driver/drive.rs", choice),
        file("src/error.rs", choice),
        file("src/serve.rs", "if status == StatusCode::CONFLICT {}\n"),
    ];
    assert_eq!(stray_status_codes(&shown).len(), 1);
    assert_none("choices of a status code", &stray_status_codes(&files()));
}

#[test]
fn files_and_lines_fit_on_a_page() {
    let long = "fn f() {}\n".repeat(FILE_LINES_MAX + 1);
    let excused = format!("// tidy: long file because the table is one\n{long}");
    let wide = format!("// {}\n", "ä".repeat(LINE_COLUMNS_MAX));
    let shown = [file("a.rs", &long), file("b.rs", &excused), file("c.rs", &wide)];
    assert_eq!(oversize(&shown).len(), 2);
    assert_none("sizes", &oversize(&files()));
}

#[test]
fn every_module_says_what_it_owns() {
    let shown = [file("src/a.rs", "use std::fmt;\n"), file("src/b.rs", "//! Owns b.\n")];
    assert_eq!(undocumented_modules(&shown).len(), 1);
    assert_none("modules without a //! line", &undocumented_modules(&files()));
}

#[test]
fn nothing_is_left_for_later() {
    let shown = [
        file("src/a.rs", concat!("// TO", "DO: the rest\n")),
        file("docs/a.md", concat!("This is enough for", " now.\n")),
        file("src/b.rs", "fn mastodon() {}\n"),
    ];
    assert_eq!(promises(&shown).len(), 2);
    assert_none("words that put something off", &promises(&files()));
}

#[test]
fn names_say_what_a_thing_is() {
    let shown = [
        file("src/a.rs", "pub fn get_job() {}\npub struct JobManager;\n"),
        file("src/b.rs", "pub struct Workflow;\nlet budget_used = 1;\n"),
    ];
    assert_eq!(misnomers(&shown).len(), 3);
    assert_none("names against the glossary and the house style", &misnomers(&files()));
}

#[test]
fn nothing_ties_the_project_to_one_machine() {
    let shown = file("docs/a.md", concat!("see /ro", "ot/notes\n"));
    assert_eq!(machine_paths(&[shown]).len(), 1);
    assert_none("paths of one machine", &machine_paths(&files()));
    let lock = std::fs::read_to_string(root().join("package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\""), "package-lock.json names the host of a registry");
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let shown = [
        file("docs/a.md", "[`it_holds`](../src/a.rs), [`it is said`](../src/a.rs)\n"),
        file("docs/b.md", "[`it_is_gone`](../src/a.rs), [`it_is_none`](../src/a.rs)\n"),
        file(
            "src/a.rs",
            "fn it_is_none() {}\n\n#[test]\nfn it_holds() {}\n\n\"it is said\" => f,\n",
        ),
    ];
    assert_eq!(absent_tests(&shown).len(), 2);
    let files = files();
    assert_none("tests that pages name", &absent_tests(&files));
    let page = files.iter().find(|file| file.path == "docs/semantics.md").expect("it is there");
    let promises = page.text.lines().skip_while(|line| *line != "| promise | held by |").skip(2);
    let empty = promises.filter(|line| named_tests(line).is_empty()).map(str::to_owned);
    assert_none("promises that no test holds", &empty.collect::<Vec<_>>());
}

fn forbidden_dependencies(all: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let members: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    let mut violations = Vec::new();
    for (name, dependencies) in all {
        let listed = MAY_DEPEND_ON.iter().find(|(known, _)| known == name);
        let allowed = listed.map_or(WORKERS_MAY_DEPEND_ON, |(_, allowed)| allowed);
        for dependency in dependencies {
            let of_the_house = members.contains(dependency.as_str())
                || MAY_DEPEND_ON.iter().any(|(known, _)| known == dependency);
            let impure = name == "engine" && NEVER_IN_ENGINE.contains(&dependency.as_str());
            if impure || (of_the_house && !allowed.contains(&dependency.as_str())) {
                violations.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    violations
}

fn impurities(files: &[SourceFile]) -> Vec<String> {
    const NEVER: [&str; 9] = [
        "HashMap",
        "HashSet",
        "Instant",
        "SystemTime",
        "Utc",
        "thread",
        "unsafe",
        "async",
        "extern",
    ];
    let engine =
        || files.iter().filter(|file| file.is_rust() && file.is_in(&["crates/engine/src/"]));
    let mut violations = lines_with(engine(), |line| {
        NEVER.iter().find(|word| has_word(line, word)).map(|word| (*word).to_owned())
    });
    violations.retain(|violation| !violation.contains("forbid(unsafe_code)"));
    for file in engine().filter(|file| file.path.ends_with("src/lib.rs")) {
        if !file.text.contains("#![forbid(unsafe_code)]") {
            violations.push(format!("{}: #![forbid(unsafe_code)] is missing", file.path));
        }
    }
    violations
}

fn stray_sql(files: &[SourceFile]) -> Vec<String> {
    const STATEMENTS: [&str; 12] = [
        "SELECT ",
        "INSERT INTO ",
        "INSERT OR ",
        "REPLACE INTO ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "CREATE INDEX ",
        "CREATE UNIQUE ",
        "CREATE TRIGGER ",
        "CREATE VIEW ",
        "DROP TABLE ",
        "PRAGMA ",
    ];
    let places = |file: &&SourceFile| {
        let store = file.path.ends_with("/store.rs") || file.is_in(&["src/db/"]);
        file.is_rust() && !file.is_test() && !store && !file.is_in(&["crates/testkit/", "bench/"])
    };
    lines_with(files.iter().filter(places), |line| {
        STATEMENTS.iter().find(|start| line.contains(*start)).map(|start| (*start).to_owned())
    })
}

fn stray_env(files: &[SourceFile]) -> Vec<String> {
    const EDGES: [&str; 3] = ["src/lib.rs", "src/bindings.rs", "src/config.rs"];
    let places = |file: &&SourceFile| {
        let object = file.text.contains("#[durable_object");
        file.is_rust() && file.is_in(&["src/"]) && !file.is_in(&EDGES) && !object
    };
    lines_with(files.iter().filter(places), |line| has_word(line, "Env").then(|| "Env".to_owned()))
}

fn stray_status_codes(files: &[SourceFile]) -> Vec<String> {
    // cors.rs answers a preflight, which is no reply of a resource.
    const CHOOSERS: [&str; 4] = ["src/error.rs", "src/error/", "src/api/", "src/cors.rs"];
    let places =
        |file: &&SourceFile| file.is_rust() && file.is_in(&["src/"]) && !file.is_in(&CHOOSERS);
    lines_with(files.iter().filter(places), |line| {
        let compared =
            ["== StatusCode::", "!= StatusCode::"].iter().any(|text| line.contains(text));
        (line.contains("StatusCode::") && !compared).then(|| "StatusCode".to_owned())
    })
}

fn oversize(files: &[SourceFile]) -> Vec<String> {
    const PROGRAMS: [&str; 3] = [".rs", ".mjs", ".sh"];
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| PROGRAMS.iter().any(|end| file.path.ends_with(end))) {
        let lines = file.text.lines().count();
        let excused = file.text.lines().take(5).any(|line| {
            line.strip_prefix("// tidy: long file because ").is_some_and(|why| !why.is_empty())
        });
        if lines > FILE_LINES_MAX && !excused {
            violations.push(format!("{}: {lines} lines", file.path));
        }
        for (index, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                violations.push(format!("{}:{}: {columns} columns", file.path, index + 1));
            }
        }
    }
    violations
}

fn undocumented_modules(files: &[SourceFile]) -> Vec<String> {
    let modules = files.iter().filter(|file| {
        file.is_rust() && (file.path.starts_with("src/") || file.path.contains("/src/"))
    });
    modules
        .filter(|file| !file.text.lines().take(5).any(|line| line.starts_with("//! ")))
        .map(|file| file.path.clone())
        .collect()
}

fn promises(files: &[SourceFile]) -> Vec<String> {
    const WORDS: [&str; 4] =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    const PHRASES: [&str; 3] =
        [concat!("for", " now"), concat!("in a", " real "), concat!("placeholder ", "for")];
    lines_of(files, |line| {
        // In Rust a loop may count with `now`.
        let lower = line.to_lowercase().replace("for now in ", "");
        let word = WORDS.iter().find(|word| has_word(line, word));
        word.or_else(|| PHRASES.iter().find(|phrase| has_word(&lower, phrase.trim_end())))
            .map(|found| (*found).to_owned())
    })
}

fn misnomers(files: &[SourceFile]) -> Vec<String> {
    const KINDS: [&str; 4] = ["struct ", "enum ", "trait ", "mod "];
    const VAGUE: [&str; 3] = ["Manager", "Helper", "Util"];
    lines_with(files.iter().filter(|file| file.is_rust()), |line| {
        if line.contains('"') {
            return None;
        }
        if line.contains("fn get_") {
            return Some("fn get_".to_owned());
        }
        let kind = KINDS.iter().find_map(|kind| line.split(kind).nth(1))?;
        let name = kind.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        let vague = VAGUE.iter().any(|word| name.contains(word) || name == word.to_lowercase());
        (vague || name.to_lowercase().contains("workflow")).then(|| name.to_owned())
    })
}

fn machine_paths(files: &[SourceFile]) -> Vec<String> {
    const HOMES: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    // Within a URL it is a path of a site.
    let begins = |line: &str, at: usize| {
        line[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '/')
    };
    lines_of(files, |line| {
        let home =
            HOMES.iter().find(|home| line.match_indices(*home).any(|(at, _)| begins(line, at)));
        home.map(|home| (*home).to_owned())
    })
}

/// Pages name a test by a link to its file: a function, or a case of the HTTP suite.
fn absent_tests(files: &[SourceFile]) -> Vec<String> {
    let mut violations = Vec::new();
    for page in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (name, link) in page.text.lines().flat_map(named_tests) {
            let path = link.trim_start_matches("../");
            let found = files.iter().find(|file| file.path == path);
            if !found.is_some_and(|file| has_test(&file.text, name)) {
                violations.push(format!("{}: {path} has no test `{name}`", page.path));
            }
        }
    }
    violations
}

/// The tests that a line of a page names, with their links.
fn named_tests(line: &str) -> Vec<(&str, &str)> {
    let after = line.split("[`").skip(1);
    let links = after.filter_map(|text| {
        let (name, rest) = text.split_once("`](")?;
        Some((name, rest.split_once(')')?.0))
    });
    links.filter(|(_, link)| link.ends_with(".rs")).collect()
}

fn has_test(text: &str, name: &str) -> bool {
    let attributes = |before: &str| {
        let above = before.trim_end().lines().rev().take_while(|line| !line.trim().is_empty());
        above.take(4).any(|line| line.trim_start().starts_with("#[") && has_word(line, "test"))
    };
    let function = format!("fn {name}(");
    let mut functions = text.match_indices(&function);
    functions.any(|(at, _)| attributes(&text[..at])) || text.contains(&format!("\"{name}\" =>"))
}

/// Crates of the workspace and what each depends on outside tests, as cargo sees it.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo answers with JSON");
    let text = |value: &Value| value.as_str().expect("names are text").to_owned();
    let packages = metadata["packages"].as_array().expect("there are packages");
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies are a list");
        all.iter().filter(|it| it["kind"] != "dev").map(|it| text(&it["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), of(package))).collect()
}

fn lines_of(files: &[SourceFile], find: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut violations = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            violations.extend(find(line).map(|it| format!("{}:{}: {it}", file.path, index + 1)));
        }
    }
    violations
}

fn lines_with<'a>(
    files: impl Iterator<Item = &'a SourceFile>,
    find: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut violations = Vec::new();
    for file in files {
        for (number, line) in file.code() {
            let found = find(line);
            violations
                .extend(found.map(|it| format!("{}:{number}: {it}: {}", file.path, line.trim())));
        }
    }
    violations
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}
