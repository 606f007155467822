//! The store of agents over HTTP, one file for each resource. Who reads needs the scope `read`, who
//! writes is a worker or has the scope `admin`; everybody sees their account alone.

pub mod agent;
pub mod chat;
pub mod logs;
pub mod orchestrator;
pub mod prompts;
mod record;
pub mod summary;
pub mod system_logs;
pub mod tail;

use engine::plan::Violation;

use super::query::{self, moment};
use crate::db::agents::Range;
use crate::error::ApiError;

const PAGE_DEFAULT: u32 = 50;

/// Which part of a list a query asks for.
struct Asked {
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

impl Asked {
    /// The part, where moments and cursor are such.
    fn range(self) -> Result<Range, ApiError> {
        let Self { from, to, cursor, limit } = self;
        let mut violations: Vec<Violation> = Vec::new();
        let from = moment("/from", from, &mut violations);
        let to = moment("/to", to, &mut violations);
        let after = query::cursor(cursor, &mut violations);
        if violations.is_empty() {
            return Ok(Range { from, to, after, limit: limit.unwrap_or(PAGE_DEFAULT) });
        }
        Err(ApiError::QueryInvalid(violations))
    }
}

/// What the next page is asked for with, by the last row of this one.
fn next_cursor<T>(rows: &[T], more: bool, place: impl Fn(&T) -> String) -> Option<String> {
    rows.last().filter(|_| more).map(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, cursor: &str) -> Result<Range, ApiError> {
        let text = |text: &str| Some(text.to_owned());
        Asked { from: text(from), to: None, cursor: text(cursor), limit: None }.range()
    }

    #[test]
    fn a_part_of_a_list_is_bounded_by_moments_and_a_cursor() {
        let range = asked("2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00.000Z_7").unwrap();
        assert_eq!(range.from.unwrap().as_millis(), 1_795_255_200_000);
        assert_eq!(range.after, Some(("2026-11-21T10:00:00.000Z".to_owned(), "7".to_owned())));
        assert_eq!(range.limit, PAGE_DEFAULT);
        let Err(ApiError::QueryInvalid(found)) = asked("soon", "x") else { panic!("refused") };
        assert_eq!(found.len(), 2);
    }
}
