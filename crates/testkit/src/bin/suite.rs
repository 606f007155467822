//! The HTTP suite against a running orchestrator, wherever it is:
//!
//! ```text
//! CLIENT_API_KEY=… WORKER_SHARED_SECRET=… cargo run -q -p testkit --bin suite -- --url URL
//! ```
//!
//! `--only TEXT` passes those cases whose name or phase contains the text. The last line is
//! `N passed, N failed`; the exit status is 0 when nothing failed.

use std::io::IsTerminal;
use std::process::ExitCode;

use testkit::client::Client;
use testkit::suite::{self, Paint, Subject};

const USAGE: &str = "suite --url URL [--only TEXT], with CLIENT_API_KEY and WORKER_SHARED_SECRET";

#[tokio::main]
async fn main() -> ExitCode {
    match pass().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing failed.
async fn pass() -> Result<bool, String> {
    let (mut url, mut only) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || value.clone().or_else(|| arguments.next());
        match name.as_str() {
            "--url" => url = value(),
            "--only" => only = value(),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let url = url.ok_or(USAGE)?;
    let client = Client::new(&url, &key("CLIENT_API_KEY")?, &key("WORKER_SHARED_SECRET")?);
    let reached = client.send(client.request(reqwest::Method::GET, "/health")).await;
    reached.map_err(|error| format!("nothing answers at {url}: {error}"))?;
    let paint = if std::io::stdout().is_terminal() { Paint::Colours } else { Paint::Plain };
    println!("checking {}", client.url());
    let tally = suite::pass(&Subject::new(client), only.as_deref(), paint).await;
    if tally.passed + tally.failed == 0 {
        return Err("no case has this text in its name or phase".to_owned());
    }
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally.failed == 0)
}

#[expect(clippy::disallowed_methods, reason = "a tool of the tests, not the Worker")]
fn key(name: &str) -> Result<String, String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("{name} is not set; ./run.sh writes one to .dev.vars"))
}
