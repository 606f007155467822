//! Random templates of every kind, random schedules, and the watch that is kept over what comes of
//! them.

pub mod moves;
pub mod plans;
pub mod watch;
