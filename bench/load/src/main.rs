//! The load of the benchmark, in two programs that share no state: `drive` asks a subject as its
//! standard input says and prints figures; `echo PORT` is the worker that the subjects' steps call.

mod drive;
mod echo;
mod figures;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["drive"] => drive::run().await,
        ["echo", port] => echo::serve(port).await,
        _ => Err("bench-load drive < LOAD.json | bench-load echo PORT".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
