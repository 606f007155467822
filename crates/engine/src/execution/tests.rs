//! Stories of executions. Each is told through [`story::Story`], which replays the journal after
//! every decision and compares: no story passes whose journal would come to something else.

#[path = "../../tests/required/mod.rs"]
mod required;

mod approvals;
pub(crate) mod asking;
mod bad_input;
mod budget;
mod callbacks;
mod cancelling;
mod children;
mod choices;
mod damaged;
mod drift;
mod effects;
mod failure;
mod joins;
mod kinds;
mod late;
mod limits;
mod map_limits;
mod maps;
mod pausing;
mod queues;
mod readiness;
mod redoing;
mod retries;
mod reuse;
pub(crate) mod story;
mod summary;
mod tools;
mod transitions;
mod undoing;
mod view;
mod waiting;
mod waits;
mod why;
