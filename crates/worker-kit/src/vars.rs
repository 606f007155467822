//! Owns the reading of vars and secrets from the environment, as text. It must not judge them.

use worker::Env;

use crate::auth::{CLIENT_SECRET, Secrets, WORKER_SECRET};

/// A var or secret as trimmed text; an empty one counts as absent.
pub fn text(env: &Env, name: &str) -> Option<String> {
    let value = env.var(name).ok()?.to_string();
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Whether a var says `true` or `1`.
pub fn flag(env: &Env, name: &str) -> bool {
    text(env, name).is_some_and(|value| is_true(&value))
}

/// The two secrets of a worker.
pub fn secrets(env: &Env) -> Secrets {
    Secrets { worker: text(env, WORKER_SECRET), client: text(env, CLIENT_SECRET) }
}

fn is_true(value: &str) -> bool {
    value == "1" || value.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::is_true;

    #[test]
    fn only_true_and_one_are_true() {
        assert!(is_true("true") && is_true("TRUE") && is_true("1"));
        assert!(!is_true("yes") && !is_true("0") && !is_true("false") && !is_true(""));
    }
}
