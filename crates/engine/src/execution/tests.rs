//! Stories of executions. Each is told through [`story::Story`], which replays the journal after
//! every decision and compares: no story passes whose journal would come to something else.

mod budget;
mod damaged;
mod effects;
mod failure;
mod kinds;
mod late;
mod limits;
mod map_limits;
mod maps;
mod readiness;
mod retries;
mod reuse;
pub(crate) mod story;
mod summary;
mod view;
mod waiting;
mod waits;
mod why;
