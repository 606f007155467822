//! The tool registry: nodes, tools, tags and artifacts.

mod artifact;
mod figures;
mod list;
mod node;
mod tool;
mod validation;

pub use artifact::{
    Artifact, ArtifactLink, LargeArtifactsQuery, LinkMethod, LinkQuery, LinkRequest, NewArtifact,
};
pub use figures::{
    ActiveToolWithNode, CategoryStorage, CleanupQuery, CleanupReply, DataIntegrity, IntegrityCheck,
    LargeArtifactsOfTool, LargestQuery, NodeHealth, RegistrySummary, StatusUpdateReply,
    ToolOfCategory, ToolUsage, ToolsOfCategoryQuery,
};
pub use list::{ListQuery, SchemaSearchQuery};
pub use node::{NewNode, Node, NodeChange, NodeStatus, NodeType};
pub use tool::{NewTool, Tool, ToolCategory, ToolChange, ToolStatus};
pub use validation::{InvalidField, LocationPart, ValidationReply};
