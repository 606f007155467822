//! People: how they sign in, and what of them administrators see.

mod sign_in;
mod users;

pub use sign_in::{
    BootstrapRequest, PasswordChange, RefreshRequest, SignInRequest, SignOutReply, SignOutRequest,
    SignedInUser, TokenReply,
};
pub use users::{
    NewPassword, NewUser, PasswordReply, UserEntry, UserPatch, UserRole, UsersQuery, UsersReply,
};
