//! Administration.

mod accounts;
mod audit;
mod keys;
mod workers;

pub use accounts::{
    AccountEntry, AccountPatch, AccountStatus, AccountsQuery, AccountsReply, NewAccount,
};
pub use audit::{AuditEntry, AuditQuery, AuditReply};
pub use keys::{
    ApiKeyEntry, ApiKeyPatch, ApiKeysQuery, ApiKeysReply, IssuedApiKey, KeyScope, KeyStatus,
    NewApiKey, RotateRequest, RotatedApiKey,
};
pub use workers::{
    NewWorker, RegisteredWorker, RetireQuery, WorkerBreaker, WorkerCheckReply, WorkerDocument,
    WorkersQuery, WorkersReply,
};
