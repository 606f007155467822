//! Administration.

mod accounts;
mod alerts;
mod audit;
mod figures;
mod keys;
mod revisions;
mod templates;
mod workers;

pub use accounts::{
    AccountEntry, AccountPatch, AccountStatus, AccountsQuery, AccountsReply, NewAccount,
};
pub use alerts::{
    AlertEntry, AlertFilter, AlertKind, AlertQuery, AlertReply, AlertSeverity, AlertStatus,
    AlertSubject,
};
pub use audit::{AuditEntry, AuditQuery, AuditReply};
pub use figures::{
    Budget, Capacity, CostsQuery, CostsReply, DayCost, EndedIn, ExecutionPerformance, FiguresRange,
    Forecast, GateState, KeyCounts, NamedCost, Percentiles, PerformanceQuery, PerformanceReply,
    StatsPeriod, StatsQuery, StatsReply, Storage, TemplateCounts, Unfinished, WorkerCounts,
    WorkerPerformance,
};
pub use keys::{
    ApiKeyEntry, ApiKeyPatch, ApiKeysQuery, ApiKeysReply, IssuedApiKey, KeyScope, KeyStatus,
    NewApiKey, RotateRequest, RotatedApiKey,
};
pub use revisions::{
    CloneRequest, DiffQuery, DiffReply, FieldDifference, PartDifference, PartsDifference,
    Publication, RevisionEntry, RevisionReply, RevisionsQuery, RevisionsReply, RollbackRequest,
    TemplateDifference,
};
pub use templates::{
    AdminTemplateEntry, AdminTemplateReply, AdminTemplatesQuery, AdminTemplatesReply,
    FailureToleranceWord, StepDocument, StepKindWord, TemplateDocument, TemplatePatch,
    TemplateValidationReply,
};
pub use workers::{
    NewWorker, RegisteredWorker, RetireQuery, WorkerBreaker, WorkerCheckReply, WorkerDocument,
    WorkersQuery, WorkersReply,
};
