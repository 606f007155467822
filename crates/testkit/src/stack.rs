//! The local stack as a test starts, kills and starts it again: the real workerd, with D1, KV, R2,
//! queues and Durable Objects, on a free port and in a state folder of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::client::Client;

/// The keys of stacks that tests start.
pub const CLIENT_API_KEY: &str = "test-client-key-0123456789abcdef0123456789";
/// See [`CLIENT_API_KEY`].
pub const WORKER_SHARED_SECRET: &str = "test-worker-secret-0123456789abcdef01234";

/// See [`CLIENT_API_KEY`]: the key that signs the tokens of people.
pub const SECRET_KEY: &str = "test-secret-key-0123456789abcdef0123456789abcdef";

/// Whether the tests that need the stack are asked for: `./test.sh` builds it and says so.
#[expect(clippy::disallowed_methods, reason = "a tool of the tests, not the Worker")]
pub fn wanted() -> bool {
    let wanted = std::env::var("BITWARE_STACK").is_ok_and(|value| value == "1");
    if !wanted {
        eprintln!("skipped: ./test.sh builds the stack and sets BITWARE_STACK=1");
    }
    wanted
}

/// The hash under which the database knows an issued key.
pub fn key_hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("crates/testkit lies two below the root").to_owned()
}

/// A state folder that goes when the test does.
#[derive(Debug)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// A new folder under `target/`, with its database migrated.
    pub fn new(name: &str) -> Self {
        let folder =
            root().join("target/test-state").join(format!("{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("target/ can be written to");
        let state = Self(folder);
        state.script("scripts/migrate.sh", &[state.text()]);
        state
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Executes SQL in the local D1 with wrangler, as an operator would; the stack may be serving.
    pub fn execute(&self, sql: &str) {
        let file = self.0.join("statements.sql");
        std::fs::write(&file, sql).expect("the state folder can be written to");
        let file = file.to_str().expect("paths of tests are text");
        self.script("scripts/d1.sh", &[self.text(), "--file", file]);
    }

    /// The rows of a query of the local D1, by wrangler; the stack may be serving.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let script = root().join("scripts/d1.sh");
        let asked = Command::new(script).args([self.text(), "--json", "--command", sql]).output();
        let asked = asked.expect("the scripts can be started");
        let said = String::from_utf8_lossy(&asked.stderr);
        let results: Value = serde_json::from_slice(&asked.stdout)
            .unwrap_or_else(|_| panic!("{sql} failed: {said}"));
        results[0]["results"].as_array().cloned().unwrap_or_default()
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("paths of tests are text")
    }

    fn script(&self, script: &str, arguments: &[&str]) {
        let done = Command::new(root().join(script)).args(arguments).current_dir(root()).output();
        let done = done.expect("the scripts can be started");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script} {arguments:?} failed: {said}");
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }
}

/// A stack that serves.
#[derive(Debug)]
pub struct Stack {
    child: Child,
    workerd: u32,
    cron: String,
    url: String,
    options: Vec<String>,
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// CPU time, of user and system.
    pub cpu_ms: u64,
    /// The most memory that it had at once (resident).
    pub peak_kib: u64,
}

/// What the Workers of a stack are configured with, each as `NAME=value`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vars<'v> {
    /// For the orchestrator alone.
    pub orchestrator: &'v [&'v str],
    /// For every Worker.
    pub shared: &'v [&'v str],
}

impl Stack {
    /// Starts the stack on a state folder; each of `vars` is `NAME=value` for the orchestrator.
    pub fn start(state: &StateDir, vars: &[&str]) -> Self {
        Self::start_with(state, Vars { orchestrator: vars, ..Vars::default() })
    }

    /// Starts the stack on a state folder, with the keys of tests and the sample feeds.
    pub fn start_with(state: &StateDir, vars: Vars<'_>) -> Self {
        let mut options: Vec<String> =
            ["--port", "0", "--state", state.text()].map(str::to_owned).to_vec();
        for (option, assignments) in [("--var", vars.orchestrator), ("--var-all", vars.shared)] {
            for assignment in assignments {
                options.extend([option.to_owned(), (*assignment).to_owned()]);
            }
        }
        for (name, value) in [
            ("CLIENT_API_KEY", CLIENT_API_KEY),
            ("WORKER_SHARED_SECRET", WORKER_SHARED_SECRET),
            ("SECRET_KEY", SECRET_KEY),
            ("FEEDS_OFFLINE", "true"),
        ] {
            options.extend(["--var-all".to_owned(), format!("{name}={value}")]);
        }
        let log = state.path().join("stack.log");
        options.extend(["--log".to_owned(), log.to_str().expect("text").to_owned()]);
        Self::spawn(options)
    }

    /// One Worker alone, by its `wrangler.toml`: for comparison.
    pub fn only(state: &StateDir, config: &str) -> Self {
        let log = state.path().join("only.log");
        let log = log.to_str().expect("paths of tests are text");
        let options = ["--port", "0", "--state", state.text(), "--config", config, "--log", log];
        Self::spawn(options.map(str::to_owned).to_vec())
    }

    /// A stack on the same state and with the same vars as this one, which must be dead.
    pub fn again(self) -> Self {
        let options = self.options.clone();
        drop(self);
        Self::spawn(options)
    }

    fn spawn(options: Vec<String>) -> Self {
        let mut child = Command::new(root().join("scripts/stack.sh"))
            .args(&options)
            .current_dir(root())
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("scripts/stack.sh can be started");
        let out = child.stdout.take().expect("standard output is a pipe");
        let (mut workerd, mut cron, mut url) = (0, String::new(), String::new());
        for line in BufReader::new(out).lines() {
            let line = line.expect("standard output is text");
            if let Some(pid) = line.strip_prefix("workerd ") {
                workerd = pid.parse().expect("a process id");
            } else if let Some(address) = line.strip_prefix("cron ") {
                address.clone_into(&mut cron);
            } else if let Some(ready) = line.strip_prefix("ready ") {
                ready.clone_into(&mut url);
                break;
            }
        }
        assert!(!url.is_empty(), "the stack ended before it was ready; see its log");
        Self { child, workerd, cron, url, options }
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client with both credentials.
    pub fn client(&self) -> Client {
        Client::new(&self.url, CLIENT_API_KEY, WORKER_SHARED_SECRET)
    }

    /// Fires the cron, as the platform does each minute, and waits until it is done; says whether
    /// it came to its end.
    pub async fn fire_cron(&self) -> bool {
        reqwest::get(&self.cron).await.is_ok_and(|reply| reply.status().is_success())
    }

    /// The process of workerd, for its figures.
    pub fn workerd(&self) -> u32 {
        self.workerd
    }

    /// What workerd has used since it was started: CPU milliseconds, and at most so much memory.
    pub fn used(&self) -> Used {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.workerd);
            std::fs::read_to_string(path).expect("workerd is there")
        };
        let stat = read("stat");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|text| text.parse::<u64>().ok()).sum();
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak_kib = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        // Linux counts 100 ticks a second on every machine that these tests meet (USER_HZ).
        Used { cpu_ms: ticks * 10, peak_kib: peak_kib.unwrap_or(0) }
    }

    /// Kills workerd in the middle of whatever it does.
    pub fn kill(&mut self) {
        signal("KILL", self.workerd);
        self.child.wait().expect("the stack can be waited for");
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        signal("TERM", self.child.id());
        self.child.wait().ok();
    }
}

fn signal(name: &str, pid: u32) {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status().ok();
}
