//! The migration command on databases of every age, and the tool that drops tables.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::stack::wanted;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            root().join("target/test-state").join(format!("{name}-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn script(name: &str, args: &[&str]) -> (bool, String) {
    let call = format!(". scripts/env.sh; exec {name} \"$@\"");
    let mut command = Command::new("bash");
    command.current_dir(root()).args(["-c", &call, "bash"]).args(args);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = [stdout, stderr].concat();
    (status.success(), String::from_utf8(text).unwrap())
}

fn migrate(state: &Folder, folder: &Path) -> (bool, String) {
    let folder = folder.to_str().unwrap();
    script("node scripts/migrate.mjs", &["--state", state.text(), "--folder", folder])
}

fn migrations() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("migrations")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What a database holds, as the command shows it at its end.
fn held(text: &str) -> Vec<&str> {
    text.lines().skip_while(|line| !line.ends_with("holds:")).skip(1).collect()
}

#[test]
fn every_older_database_becomes_the_current_one_and_stays_it() {
    if !wanted() {
        return;
    }
    let state = Folder::new("migrations-empty");
    let all = root().join("migrations");
    let (done, first) = migrate(&state, &all);
    assert!(done, "{first}");
    for file in migrations() {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(first.contains(&format!("✓ {name}")), "{first}");
    }
    assert!(held(&first).iter().any(|line| line.starts_with("  worker_registry ")), "{first}");
    let (done, again) = migrate(&state, &all);
    assert!(done && again.contains("are applied to"), "{again}");
    assert_eq!(held(&again), held(&first));
    let ages = migrations().len();
    for age in [1, ages / 2, ages - 1] {
        let older = Folder::new(&format!("migrations-older-{age}"));
        let some = Folder::new(&format!("migrations-some-{age}"));
        for file in &migrations()[..age] {
            fs::copy(file, some.0.join(file.file_name().unwrap())).unwrap();
        }
        assert!(migrate(&older, &some.0).0);
        let (done, text) = migrate(&older, &all);
        assert!(done && text.contains(&format!("{} of {ages} to apply", ages - age)), "{text}");
        assert_eq!(held(&text), held(&first), "from version {age}");
    }
}

#[test]
fn a_migration_that_fails_names_its_statement_and_can_be_done_again() {
    if !wanted() {
        return;
    }
    let (state, some) = (Folder::new("migrations-bad"), Folder::new("migrations-bad-files"));
    let file = some.0.join("0001_bad.sql");
    let good = "-- one; two\nCREATE TABLE IF NOT EXISTS t (a TEXT DEFAULT ';');\n\
        CREATE TRIGGER IF NOT EXISTS x AFTER INSERT ON t\nBEGIN\n  SELECT CASE WHEN 1 \
        THEN 2 END;\nEND;\n";
    fs::write(&file, format!("{good}INSERT INTO nowhere\nVALUES (1);\n")).unwrap();
    let (done, text) = migrate(&state, &some.0);
    assert!(!done);
    for expected in
        ["0001_bad.sql, line 7, statement 3 of 3", "no such table: nowhere", "| VALUES (1)"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    fs::write(&file, format!("{good}INSERT INTO t DEFAULT VALUES;\n")).unwrap();
    let (done, text) = migrate(&state, &some.0);
    assert!(done && text.contains("✓ 0001_bad.sql"), "{text}");
}

#[test]
fn tables_are_dropped_for_development_alone_and_come_back() {
    if !wanted() {
        return;
    }
    for environment in ["production", "enterprise"] {
        let (done, text) = script("scripts/drop-tables.sh", &["--env", environment, "agents"]);
        assert!(!done && text.contains("are not dropped"), "{text}");
    }
    let state = Folder::new("migrations-drop");
    let all = root().join("migrations");
    assert!(migrate(&state, &all).0);
    let drop = |args: &[&str]| {
        script("scripts/drop-tables.sh", &[&["--state", state.text()], args].concat())
    };
    let (done, text) = drop(&["agent_logs"]);
    assert!(!done && text.contains("agent_logs: 0 rows"), "it asks: {text}");
    let (done, text) = drop(&["--yes", "nothing"]);
    assert!(!done && text.contains("no such table: nothing"), "{text}");
    let (done, text) = drop(&["--yes", "agent_logs", "prompts"]);
    assert!(done, "{text}");
    let (_, text) = drop(&[]);
    assert!(!text.contains("agent_logs"), "{text}");
    let (done, text) = migrate(&state, &all);
    assert!(done && held(&text).iter().any(|line| line.starts_with("  agent_logs ")), "{text}");
}
