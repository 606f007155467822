//! Artifacts: what is known of files that tools and steps made. The bytes lie in the bucket.

use serde::Deserialize;

use super::paging::{Paging, Sequenced, page_of};
use super::{Database, DbError, Statement, statements};

macro_rules! columns {
    () => {
        "SELECT seq, artifact_id, account_id, file_name, mime_type, storage_pointer, size_bytes,
        sha256, content_key, created_by_tool_id, pipeline_id, step, created_at, updated_at
      FROM artifacts "
    };
}

statements! { "artifacts":
    /// An artifact of an account.
    BY_ID = concat!(columns!(), "WHERE artifact_id = ?1 AND account_id = ?2");

    /// A page of an account's artifacts as they were added: behind ?2; ?3 is how many, ?4 how many
    /// are left out.
    PAGE = concat!(columns!(), "WHERE account_id = ?1 AND seq > ?2
      ORDER BY seq LIMIT ?3 OFFSET ?4");

    /// The same for those that the tool ?5 made.
    PAGE_OF_TOOL = concat!(columns!(), "WHERE account_id = ?1 AND seq > ?2
        AND created_by_tool_id = ?5
      ORDER BY seq LIMIT ?3 OFFSET ?4");

    /// The same for those of the execution ?5.
    PAGE_OF_EXECUTION = concat!(columns!(), "WHERE account_id = ?1 AND seq > ?2
        AND pipeline_id = ?5
      ORDER BY seq LIMIT ?3 OFFSET ?4");

    /// A page of an account's artifacts of ?2 bytes and more, the largest first: behind the size
    /// ?3 and the place ?4; ?5 is how many, ?6 how many are left out.
    LARGE = concat!(columns!(), "WHERE account_id = ?1 AND size_bytes >= ?2
        AND (?3 IS NULL OR (size_bytes, seq) < (?3, ?4))
      ORDER BY size_bytes DESC, seq DESC LIMIT ?5 OFFSET ?6");

    /// Adds an artifact, unless the account has no such tool. Sent again, it is there.
    ADD = "INSERT INTO artifacts (artifact_id, account_id, file_name, mime_type, storage_pointer,
        size_bytes, created_by_tool_id, pipeline_id, step)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
      WHERE ?7 IS NULL OR EXISTS (
        SELECT 1 FROM tools AS t WHERE t.tool_id = ?7 AND t.account_id = ?2)
      ON CONFLICT (artifact_id) DO NOTHING";

    /// Where the bytes of an artifact lie now, and what they are.
    SET_CONTENT = "UPDATE artifacts SET content_key = ?3, storage_pointer = ?4, size_bytes = ?5,
        sha256 = ?6, mime_type = coalesce(?7, mime_type)
      WHERE artifact_id = ?1 AND account_id = ?2";

    /// Removes an artifact.
    REMOVE = "DELETE FROM artifacts WHERE artifact_id = ?1 AND account_id = ?2";
}

/// An artifact as its row has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    /// Its place among all artifacts, as they were added.
    pub seq: u64,
    /// The key.
    pub artifact_id: String,
    /// The tenant that it belongs to.
    pub account_id: String,
    /// The name that people know it by.
    pub file_name: String,
    /// What it is.
    pub mime_type: String,
    /// Where its bytes lie, as whoever recorded it says.
    pub storage_pointer: Option<String>,
    /// How large it is.
    pub size_bytes: u64,
    /// The SHA-256 of its bytes, where they were stored here.
    pub sha256: Option<String>,
    /// The object of the bucket that has its bytes, where they were stored here.
    pub content_key: Option<String>,
    /// The tool that made it.
    pub created_by_tool_id: Option<String>,
    /// The execution that made it.
    pub pipeline_id: Option<String>,
    /// The step that made it.
    pub step: Option<String>,
    /// When it was added.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

impl Sequenced for Artifact {
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// An artifact to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewArtifact<'a> {
    /// The key.
    pub artifact_id: &'a str,
    /// The tenant that it belongs to.
    pub account: &'a str,
    /// The name that people know it by.
    pub file_name: &'a str,
    /// What it is.
    pub mime_type: &'a str,
    /// Where its bytes lie.
    pub storage_pointer: Option<&'a str>,
    /// How large it is.
    pub size_bytes: u64,
    /// The tool that made it.
    pub created_by_tool_id: Option<&'a str>,
    /// The execution that made it.
    pub pipeline_id: Option<&'a str>,
    /// The step that made it.
    pub step: Option<&'a str>,
}

/// Which artifacts are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtifactFilter<'a> {
    /// All.
    All,
    /// Those that this tool made.
    Tool(&'a str),
    /// Those that this execution made.
    Execution(&'a str),
}

/// The bytes of an artifact as they were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// The object of the bucket.
    pub key: &'a str,
    /// The same as a pointer for people.
    pub storage_pointer: &'a str,
    /// How many they are.
    pub size_bytes: u64,
    /// Their SHA-256.
    pub sha256: &'a str,
    /// What they are; `None` where that stays.
    pub mime_type: Option<&'a str>,
}

/// The artifact `id` of an account.
pub async fn by_id(
    db: &impl Database,
    account: &str,
    id: &str,
) -> Result<Option<Artifact>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// A page of an account's artifacts, as they were added, and whether there are more.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: ArtifactFilter<'_>,
    paging: Paging,
) -> Result<(Vec<Artifact>, bool), DbError> {
    let Paging { after, skip, limit } = paging;
    let of = |sql: super::Sql| sql.with(account).with(after).with(limit + 1).with(skip);
    let statement = match filter {
        ArtifactFilter::All => of(PAGE),
        ArtifactFilter::Tool(id) => of(PAGE_OF_TOOL).with(id),
        ArtifactFilter::Execution(id) => of(PAGE_OF_EXECUTION).with(id),
    };
    page_of(&db.query(statement).await?, limit)
}

/// A page of an account's artifacts of `size_min` bytes and more, the largest first, and whether
/// there are more. `after` is the size and the place of the last one of the page before.
pub async fn large(
    db: &impl Database,
    account: &str,
    size_min: u64,
    after: Option<(u64, u64)>,
    (skip, limit): (u32, u32),
) -> Result<(Vec<Artifact>, bool), DbError> {
    let statement = LARGE
        .with(account)
        .with(size_min)
        .with(after.map(|(size, _)| size))
        .with(after.map(|(_, seq)| seq))
        .with(limit + 1)
        .with(skip);
    page_of(&db.query(statement).await?, limit)
}

/// The statement that adds an artifact, unless the account has no such tool.
pub fn adding(artifact: &NewArtifact<'_>) -> Statement {
    ADD.with(artifact.artifact_id)
        .with(artifact.account)
        .with(artifact.file_name)
        .with(artifact.mime_type)
        .with(artifact.storage_pointer)
        .with(artifact.size_bytes)
        .with(artifact.created_by_tool_id)
        .with(artifact.pipeline_id)
        .with(artifact.step)
}

/// Adds an artifact; `None` where the account has no such tool.
pub async fn add(
    db: &impl Database,
    artifact: &NewArtifact<'_>,
) -> Result<Option<Artifact>, DbError> {
    let found = BY_ID.with(artifact.artifact_id).with(artifact.account);
    let [_, found] = db.batch_of([adding(artifact), found]).await?;
    found.first()
}

/// Notes where the bytes of an artifact lie now. Gives the row as it was, for what is no longer
/// needed, and as it is; nothing where the artifact is gone.
pub async fn set_content(
    db: &impl Database,
    account: &str,
    id: &str,
    content: Content<'_>,
) -> Result<Option<(Artifact, Artifact)>, DbError> {
    let find = || BY_ID.with(id).with(account);
    let Content { key, storage_pointer, size_bytes, sha256, mime_type } = content;
    let set = SET_CONTENT
        .with(id)
        .with(account)
        .with(key)
        .with(storage_pointer)
        .with(size_bytes)
        .with(sha256)
        .with(mime_type);
    let [before, _, after] = db.batch_of([find(), set, find()]).await?;
    Ok(before.first()?.zip(after.first()?))
}

/// Removes an artifact; gives the row as it was.
pub async fn remove(
    db: &impl Database,
    account: &str,
    id: &str,
) -> Result<Option<Artifact>, DbError> {
    let remove = REMOVE.with(id).with(account);
    let [before, _] = db.batch_of([BY_ID.with(id).with(account), remove]).await?;
    before.first()
}
