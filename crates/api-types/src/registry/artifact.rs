//! Artifacts: files that tools and steps made.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An artifact to be recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArtifact {
    /// The name that people know it by.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f]+$",
        example = "summary.md"
    )]
    pub file_name: String,
    /// What it is; default `application/octet-stream`.
    #[schema(
        max_length = 255,
        pattern = r"^[\w!#$&^.+-]+/[\w!#$&^.+-]+(; ?[A-Za-z0-9_.-]+=[A-Za-z0-9_.+-]+)*$",
        example = "text/markdown"
    )]
    pub mime_type: Option<String>,
    /// Where its bytes lie, where they are not to be stored here.
    #[schema(min_length = 1, max_length = 2048, example = "s3://bucket/summary.md")]
    pub storage_pointer: Option<String>,
    /// How large it is; default 0. Content that is stored here says it itself.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991.0)]
    pub size_bytes: Option<u64>,
    /// The tool that made it, one of the account's.
    #[schema(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    pub created_by_tool_id: Option<String>,
    /// The execution that made it.
    #[schema(min_length = 1, max_length = 64)]
    pub pipeline_id: Option<String>,
    /// The step that made it.
    #[schema(min_length = 1, max_length = 128)]
    pub step: Option<String>,
}

/// An artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// Its id.
    #[schema(format = "uuid")]
    pub artifact_id: String,
    /// The name that people know it by.
    pub file_name: String,
    /// What it is.
    pub mime_type: String,
    /// Where its bytes lie: `r2://` where they are stored here.
    pub storage_pointer: Option<String>,
    /// How large it is.
    pub size_bytes: u64,
    /// The SHA-256 of its bytes in hexadecimal; null where they are not stored here.
    pub sha256: Option<String>,
    /// Where its bytes can be read; null where they are not stored here.
    pub content_url: Option<String>,
    /// The tool that made it; null where none did, or it is gone.
    #[schema(format = "uuid")]
    pub created_by_tool_id: Option<String>,
    /// The execution that made it.
    pub pipeline_id: Option<String>,
    /// The step that made it.
    pub step: Option<String>,
    /// When it was recorded.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Which large artifacts are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LargeArtifactsQuery {
    /// The least size, in bytes; default 1048576 (1 MiB).
    #[param(nullable = false, minimum = 0, maximum = 9_007_199_254_740_991.0)]
    pub min_size: Option<u64>,
    /// How many rows are left out; default 0.
    #[param(nullable = false, minimum = 0, maximum = 1_000_000)]
    pub skip: Option<u32>,
    /// The most rows; default 100.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where to go on: it stands in the header `Link` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
}

/// What a link is to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LinkMethod {
    /// Reading the content.
    Get,
    /// Storing it.
    Put,
}

/// A link to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// How long it is to work, in seconds; default 3600.
    #[schema(minimum = 1, maximum = 604_800)]
    pub expires_in_s: Option<u32>,
    /// What it is to allow; default `GET`.
    pub method: Option<LinkMethod>,
}

/// A link: whoever has it needs no credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArtifactLink {
    /// The link; a path where the installation does not know its own address.
    pub url: String,
    /// What it allows.
    pub method: LinkMethod,
    /// When it ends to work.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// What makes a link of an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    /// Of a link: the account of the artifact.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Of a link: when it ends to work, in Unix seconds.
    #[param(nullable = false, minimum = 0, maximum = 9_007_199_254_740_991.0)]
    pub expires: Option<u64>,
    /// Of a link: what proves that this installation made it.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub signature: Option<String>,
}
