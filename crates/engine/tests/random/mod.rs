//! Random templates, terms and schedules, and the watch that is kept over what comes of them.

pub mod plans;
pub mod schedule;
pub mod watch;
