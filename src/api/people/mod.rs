//! People: sign-in, sign-out and what a person may do with its own user.

pub mod bootstrap;
pub mod sign_in;
pub mod user;
