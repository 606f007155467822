//! Stories of executions.
