//! The wire types of the HTTP API: what goes in and out, as serde and OpenAPI see it.
//!
//! It owns names and shapes of JSON fields and the limits that a schema can express. It must hold
//! no logic beyond that, and no type of the engine: the shell converts by destructuring.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod admin;
pub mod agents;
mod catalog;
mod control;
mod error;
pub mod events;
mod health;
mod history;
pub mod insights;
pub mod jobs;
pub mod live;
mod orchestrate;
pub mod people;
mod pipeline;
mod plan;
pub mod registry;
mod service;
pub mod tasks;
mod tool_calls;
pub mod utils;
mod why;

pub use catalog::{
    Capabilities, Limits, MeasuredPerformance, QualityLevelEntry, StrategyEntry, TemplateEntry,
    TemplateReply, TemplateStep, TemplatesReply, UrgencyLevelEntry, WorkerEntry, WorkerHealth,
};
pub use control::{
    CompletionError, CompletionRequest, CompletionStatus, RerunRequest, RestartRequest,
    ResumeRequest, RevisionChoice, VerbReply, VerbRequest, VerbStatus,
};
pub use error::{ErrorReply, Violation};
pub use health::{
    BreakerState, ComponentHealth, HealthVerdict, JournalsStanding, PipelineHealthQuery,
    PipelineHealthReply, WorkerStanding,
};
pub use history::{HistoryEntry, HistoryFormat, HistoryQuery, HistoryReply, StrategyLabel};
pub use orchestrate::{
    OptimizeFor, OrchestrateReply, OrchestrateRequest, OutputFormat, QualityLevel, Urgency,
};
pub use pipeline::{
    CommunicationMethod, ExecutionStatus, OptimizationReport, Pipeline, PipelineReply,
    StepArtifacts, StepResult, StepStatus,
};
pub use plan::{
    BudgetVerdict, DeadlineVerdict, FiguresFrom, PlanReply, PlannedCost, PlannedFigures,
    PlannedPathStep, PlannedStatistics, PlannedStep, PlannedStrategy, PlannedTerms, PlannedTime,
    StepFate, Verdict, WorkerChoice,
};
pub use service::{
    Credential, Endpoint, HealthReply, HealthStatus, HelpReply, LivenessReply, RootReply,
    WorkerHealthEntry,
};
pub use tool_calls::{
    InvokeReply, InvokeRequest, InvokedArtifact, ToolBreaker, ToolTerms, ToolTermsRequest,
};
pub use why::{EventsQuery, ExecutionPhase, WhyDriver, WhyReply, WhyStep, WhyTask, WhyTool};
