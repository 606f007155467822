//! Who may do what with a task: decided over its row, without any I/O. It must not know HTTP but
//! for the codes that stand for refusals.

pub mod upkeep;

use crate::db::tasks::Task;
use crate::error::ErrorCode;

/// Somebody who wants to do something with a task.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// How rows name them.
    pub name: &'a str,
    /// The words by which they can be a candidate.
    pub words: &'a [String],
    /// Who they are, whichever credential they show.
    pub selves: &'a [String],
}

/// Why somebody may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code that stands for it.
    pub code: ErrorCode,
    /// The same in words.
    pub message: String,
}

fn refuse(code: ErrorCode, message: impl Into<String>) -> Result<(), Refused> {
    Err(Refused { code, message: message.into() })
}

/// Whether somebody may take the task upon themselves: claim it, or complete it.
pub fn may_take(task: &Task, who: Who<'_>) -> Result<(), Refused> {
    let mut began = task.initiators.iter().chain(&task.job_created_by);
    if task.forbid_self_approval && began.any(|one| one == who.name || who.selves.contains(one)) {
        let message = "Whoever began what the task decides on may not complete it";
        return refuse(ErrorCode::TaskSelfApproval, message);
    }
    if !is_candidate(task, who) {
        let message = format!("Its candidates are {}", task.candidates.join(", "));
        return refuse(ErrorCode::TaskNotCandidate, message);
    }
    may_change(task)?;
    match &task.claimed_by {
        Some(holder) if holder != who.name => {
            refuse(ErrorCode::TaskClaimed, format!("{holder} has claimed it"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether anything can be changed of the task.
pub fn may_change(task: &Task) -> Result<(), Refused> {
    match task.is_unfinished() {
        true => Ok(()),
        false => refuse(ErrorCode::TaskClosed, format!("It is {}", task.status)),
    }
}

/// Whether somebody may give the task back: whoever has it, and administrators.
pub fn may_release(task: &Task, who: Who<'_>, administers: bool) -> Result<(), Refused> {
    may_change(task)?;
    match &task.claimed_by {
        Some(holder) if holder != who.name && !administers => {
            refuse(ErrorCode::TaskClaimed, format!("{holder} has claimed it"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether the task is for somebody. Case makes no difference in names of people.
fn is_candidate(task: &Task, who: Who<'_>) -> bool {
    let named = |word: &String| task.candidates.iter().any(|one| one.eq_ignore_ascii_case(word));
    task.candidates.is_empty() || who.words.iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(candidates: &[&str]) -> Task {
        let candidates = candidates.iter().map(|text| (*text).to_owned()).collect();
        Task { status: "open".to_owned(), candidates, ..Task::default() }
    }

    fn taking(task: &Task, words: &[&str]) -> Result<(), &'static str> {
        let words: Vec<String> = words.iter().map(|text| (*text).to_owned()).collect();
        let who = Who { name: &words[0], words: &words, selves: &words };
        may_take(task, who).map_err(|refused| refused.code.as_str())
    }

    #[test]
    fn a_task_is_for_its_candidates_and_without_any_for_everybody() {
        assert_eq!(taking(&task(&[]), &["key:k"]), Ok(()));
        let for_ada = task(&["role:admin", "Ada@example.org"]);
        assert_eq!(taking(&for_ada, &["user:1", "ada@example.org", "role:user"]), Ok(()));
        assert_eq!(taking(&for_ada, &["user:2", "role:admin"]), Ok(()));
        let stranger = taking(&for_ada, &["user:3", "bob@example.org", "role:user"]);
        assert_eq!(stranger, Err("task.not_candidate"));
    }

    #[test]
    fn nobody_approves_what_they_began_even_as_a_candidate() {
        let began = vec!["key:k1".to_owned(), "key:root".to_owned()];
        let own =
            Task { forbid_self_approval: true, initiators: began.clone(), ..task(&["key:root"]) };
        assert_eq!(taking(&own, &["key:k2", "key:root"]), Err("task.self_approval"));
        let job = Some("user:1".to_owned());
        let of_job = Task { forbid_self_approval: true, job_created_by: job, ..task(&[]) };
        assert_eq!(taking(&of_job, &["user:1"]), Err("task.self_approval"));
        assert_eq!(taking(&of_job, &["user:2"]), Ok(()));
        let may = Task { initiators: began, ..task(&[]) };
        assert_eq!(taking(&may, &["key:k1"]), Ok(()), "it is not forbidden");
    }

    #[test]
    fn what_somebody_has_is_nobody_elses_and_what_is_closed_nobodys() {
        let mine = Task {
            status: "claimed".to_owned(),
            claimed_by: Some("key:k".to_owned()),
            ..task(&[])
        };
        assert_eq!(taking(&mine, &["key:k"]), Ok(()));
        assert_eq!(taking(&mine, &["key:l"]), Err("task.claimed"));
        let who = |name| Who { name, words: &[], selves: &[] };
        assert!(may_release(&mine, who("key:k"), false).is_ok());
        assert!(may_release(&mine, who("key:l"), false).is_err());
        assert!(may_release(&mine, who("key:l"), true).is_ok());
        for status in ["completed", "cancelled", "expired"] {
            let over = Task { status: status.to_owned(), ..mine.clone() };
            assert_eq!(taking(&over, &["key:k"]), Err("task.closed"), "{status}");
        }
    }
}
