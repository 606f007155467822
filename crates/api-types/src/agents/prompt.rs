//! What agents were asked.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptAuthor {
    /// A person.
    #[default]
    Engineer,
    /// The agent that leads the others.
    OrchestratorAgent,
}

/// What an agent was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Prompt {
    /// Its id: the sender's, or one that was given to it.
    #[schema(example = "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e71")]
    pub id: String,
    /// Its number in the order of arrival.
    pub seq: u64,
    /// Whom; null where nobody in particular.
    pub agent_id: Option<String>,
    /// The task that it belongs to.
    pub task_slug: Option<String>,
    /// Who asked.
    pub author: PromptAuthor,
    /// The words.
    pub prompt_text: String,
    /// It in a few words.
    pub summary: Option<String>,
    /// When it was, by the sender's clock.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// The conversation that it belongs to.
    pub session_id: Option<String>,
    /// When it arrived.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A prompt to record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "author": "engineer", "prompt_text": "Find out why the feed fails." }))]
pub struct NewPrompt {
    /// Its id; what is sent again under the same id is there once. Left out, it gets one.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub id: Option<String>,
    /// Whom: an agent's id.
    #[schema(max_length = 64)]
    pub agent_id: Option<String>,
    /// The task that it belongs to.
    #[schema(max_length = 200)]
    pub task_slug: Option<String>,
    /// Who asks.
    pub author: PromptAuthor,
    /// The words.
    #[schema(min_length = 1, max_length = 500000)]
    pub prompt_text: String,
    /// It in a few words; it may be added later.
    #[schema(max_length = 4000)]
    pub summary: Option<String>,
    /// When it was (RFC 3339); left out, now.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    /// The conversation that it belongs to.
    #[schema(max_length = 200)]
    pub session_id: Option<String>,
}

/// Which prompts are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PromptQuery {
    /// Only to this agent.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub agent_id: Option<String>,
    /// Only of this task.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub task_slug: Option<String>,
    /// Only by this author.
    #[param(inline, nullable = false)]
    pub author: Option<PromptAuthor>,
    /// Only of this conversation.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub session_id: Option<String>,
    /// Only at this moment or later (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub from: Option<String>,
    /// Only at this moment or earlier (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub to: Option<String>,
    /// Only those in whose text all these words stand, whatever their case and accents; `word*`
    /// finds what begins so. Those that arrived last come first.
    #[param(nullable = false, min_length = 1, max_length = 500)]
    pub q: Option<String>,
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptsReply {
    /// They, newest first.
    pub prompts: Vec<Prompt>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}
