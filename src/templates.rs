//! What this isolate knows of templates and policy: published plans, the name of the default
//! template, and what each label of a request changes.
//!
//! The database raises a change counter whenever one of those rows changes. It is looked at when
//! [`LOOK_EVERY`] has passed, and not at all in between; what was read under an older count is read
//! anew. A change made by plain SQL is therefore seen within 5 s: 4 s until the next look, and 1 s
//! in which other requests do not wait for the one that looks. Where the database does not answer,
//! what is known stays good for [`KNOWN_FOR_MAX`]: rows that nobody can reach do not change.

mod canonical;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use engine::plan::definition::TemplateDefinition;
use engine::plan::{Plan, Violation};
use engine::time::{Millis, Timestamp};

use crate::db::meta::{self, Count};
use crate::db::policy::{self, Policy};
use crate::db::templates::{self as rows, LoadedTemplate};
use crate::db::{Database, DbError, revisions};
use crate::plans;
pub use canonical::{canonical_json, sha256_hex};

/// How long the change counter is not looked at after a look.
const LOOK_EVERY: Millis = Millis::from_secs(4);
/// How long others go on with what is known while one request looks.
const LOOK_TAKES_MAX: Millis = Millis::from_secs(1);
/// How long what is known stays good while the database does not answer.
const KNOWN_FOR_MAX: Millis = Millis::from_secs(60);
/// The most templates that are kept, those that do not exist included.
const TEMPLATES_MAX: usize = 256;
/// The longest name that a template can have; a longer one is not looked up.
const NAME_LEN_MAX: usize = 64;

/// A revision of a template, ready to be started.
#[derive(Debug)]
pub struct PublishedPlan {
    /// What was published.
    pub definition: Arc<TemplateDefinition>,
    /// The same, checked and compiled.
    pub plan: Arc<Plan>,
    /// Counted for each template; the first is 1.
    pub revision: u64,
    /// SHA-256 of the canonical definition, in hex.
    pub content_hash: String,
    /// The canonical definition.
    pub definition_json: Arc<str>,
}

/// Why a template cannot be started.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// There is none of that name, or no default template.
    #[error("there is no such template")]
    NotFound,
    /// It is switched off.
    #[error("the template is not active")]
    Inactive,
    /// Its rows make no valid plan.
    #[error("the rows of the template make no valid plan")]
    Invalid(Vec<Violation>),
    /// The database did not say.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What one isolate knows. Nothing is held across an `await`: requests that meet a gap at the same
/// time each fill it, which costs a read and is otherwise harmless.
#[derive(Debug, Default)]
pub struct TemplateCache {
    known: RefCell<Known>,
    worker_urls: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Known {
    count: Option<Count>,
    /// When the count was last seen; since when somebody has been looking.
    seen_at: Timestamp,
    looking_since: Option<Timestamp>,
    policy: Option<(i64, Arc<Policy>)>,
    templates: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    count: i64,
    read_at: Timestamp,
    template: Result<Arc<PublishedPlan>, TemplateError>,
}

thread_local! {
    static SHARED: OnceCell<Rc<TemplateCache>> = const { OnceCell::new() };
}

impl TemplateCache {
    /// The cache of this isolate, whose deployment reaches some workers at URLs of its own: they
    /// stand in for what the registry says, by `worker_name`.
    pub fn shared(worker_urls: &BTreeMap<String, String>) -> Rc<Self> {
        let new = || Rc::new(Self { worker_urls: worker_urls.clone(), ..Self::default() });
        SHARED.with(|shared| Rc::clone(shared.get_or_init(new)))
    }

    /// The template `name` as it is published now; without a name, the default template.
    pub async fn plan(
        &self,
        db: &impl Database,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<PublishedPlan>, TemplateError> {
        if name.is_some_and(|name| name.is_empty() || name.len() > NAME_LEN_MAX) {
            return Err(TemplateError::NotFound);
        }
        self.look(db, now).await?;
        if let Some(template) = self.known.borrow().template(name) {
            return template.clone();
        }
        let loaded = rows::load(db, name).await?;
        self.known.borrow_mut().learn(&loaded.count, now);
        self.known.borrow_mut().policy = Some((loaded.count.count, Arc::new(loaded.policy)));
        let template = match loaded.template {
            None => Err(TemplateError::NotFound),
            Some(template) => publish(db, at_own_urls(template, &self.worker_urls)).await,
        };
        if let Err(TemplateError::Db(error)) = template {
            return Err(error.into());
        }
        let name = name.or(loaded.count.default_template.as_deref());
        if let Some(name) = name {
            self.known.borrow_mut().keep(name, loaded.count.count, now, template.clone());
        }
        template
    }

    /// What each label of a request changes.
    pub async fn policy(&self, db: &impl Database, now: Timestamp) -> Result<Arc<Policy>, DbError> {
        let count = self.look(db, now).await?;
        if let Some((_, policy)) =
            self.known.borrow().policy.as_ref().filter(|p| Some(p.0) == count)
        {
            return Ok(Arc::clone(policy));
        }
        let (count, policy) = policy::all_at(db).await?;
        let policy = Arc::new(policy);
        let mut known = self.known.borrow_mut();
        known.learn(&count, now);
        known.policy = Some((count.count, Arc::clone(&policy)));
        Ok(policy)
    }

    /// The name of the default template, if there is one.
    pub async fn default_name(
        &self,
        db: &impl Database,
        now: Timestamp,
    ) -> Result<Option<String>, DbError> {
        self.look(db, now).await?;
        if let Some(count) = &self.known.borrow().count {
            return Ok(count.default_template.clone());
        }
        let count = meta::count(db).await?;
        self.known.borrow_mut().learn(&count, now);
        Ok(count.default_template)
    }

    /// Looks at the database anew before the next use: this isolate has changed it.
    pub fn forget(&self) {
        self.known.borrow_mut().count = None;
    }

    /// How many templates are kept, those that do not exist included.
    pub fn len(&self) -> usize {
        self.known.borrow().templates.len()
    }

    /// Whether no template is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks at the change counter when it is time, and gives the count that what is known must
    /// have been read under; `None` while nothing is known, because what is read first brings it.
    async fn look(&self, db: &impl Database, now: Timestamp) -> Result<Option<i64>, DbError> {
        if self.known.borrow_mut().should_look(now) {
            match meta::count(db).await {
                Ok(count) => self.known.borrow_mut().learn(&count, now),
                Err(error) => {
                    let mut known = self.known.borrow_mut();
                    known.looking_since = None;
                    if !error.is_outage() || known.seen_at.plus(KNOWN_FOR_MAX) < now {
                        return Err(error);
                    }
                }
            }
        }
        Ok(self.known.borrow().count.as_ref().map(|count| count.count))
    }
}

impl Known {
    /// Whether this request is the one that looks. A clock that went back makes one look.
    fn should_look(&mut self, now: Timestamp) -> bool {
        let recent = |since: Timestamp, length: Millis| {
            since <= now && now.since(since).get() < length.get()
        };
        let looking = self.looking_since.is_some_and(|since| recent(since, LOOK_TAKES_MAX));
        if self.count.is_none() || recent(self.seen_at, LOOK_EVERY) || looking {
            return false;
        }
        self.looking_since = Some(now);
        true
    }

    fn learn(&mut self, count: &Count, asked_at: Timestamp) {
        self.count = Some(count.clone());
        self.seen_at = asked_at;
        self.looking_since = None;
    }

    fn template(&self, name: Option<&str>) -> Option<&Result<Arc<PublishedPlan>, TemplateError>> {
        let count = self.count.as_ref()?;
        let name = match name {
            Some(name) => name,
            None => count.default_template.as_deref()?,
        };
        let entry = self.templates.get(name).filter(|entry| entry.count == count.count)?;
        Some(&entry.template)
    }

    fn keep(
        &mut self,
        name: &str,
        count: i64,
        read_at: Timestamp,
        template: Result<Arc<PublishedPlan>, TemplateError>,
    ) {
        if self.templates.len() >= TEMPLATES_MAX && !self.templates.contains_key(name) {
            self.templates.retain(|_, entry| entry.count == count);
        }
        if self.templates.len() >= TEMPLATES_MAX && !self.templates.contains_key(name) {
            let oldest = self.templates.iter().min_by_key(|(_, entry)| entry.read_at);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.templates.remove(&oldest);
            }
        }
        self.templates.insert(name.to_owned(), Entry { count, read_at, template });
    }
}

/// What a definition is known by: the SHA-256 of its canonical JSON, in hex.
pub fn content_hash(definition: &TemplateDefinition) -> String {
    sha256_hex(canonical(definition).as_bytes())
}

/// What the rows of a template come to.
pub struct Compiled {
    /// The canonical definition.
    pub json: String,
    /// SHA-256 of it, in hex.
    pub content_hash: String,
    /// What can be started, or all that is wrong.
    pub plan: Result<Arc<Plan>, Vec<Violation>>,
}

/// Puts the URLs at which this deployment reaches workers, by name, in the place of the registry's.
pub fn at_own_urls(
    mut template: LoadedTemplate,
    worker_urls: &BTreeMap<String, String>,
) -> LoadedTemplate {
    let TemplateDefinition { workers, templates, .. } = &mut template.definition;
    let nested = templates.values_mut().flat_map(|nested| &mut nested.workers);
    for (name, worker) in workers.iter_mut().chain(nested) {
        if let Some(url) = worker_urls.get(name) {
            worker.service_binding = None;
            worker.base_url = Some(url.clone());
        }
    }
    template
}

/// Compiles what the rows say.
pub fn compile(template: &LoadedTemplate) -> Compiled {
    let definition = &template.definition;
    let json = canonical(definition);
    let content_hash = sha256_hex(json.as_bytes());
    let refused = plans::refused(definition);
    let plan = match plans::plan(&content_hash, definition) {
        Ok(plan) if template.violations.is_empty() && refused.is_empty() => Ok(plan),
        compiled => {
            let found = [compiled.err().unwrap_or_default(), refused].concat();
            Err(together(template.violations.clone(), found))
        }
    };
    Compiled { json, content_hash, plan }
}

/// Compiles what the rows say and finds the revision that holds it; stores one when it is new.
async fn publish(
    db: &impl Database,
    template: LoadedTemplate,
) -> Result<Arc<PublishedPlan>, TemplateError> {
    if !template.is_active {
        return Err(TemplateError::Inactive);
    }
    let Compiled { json, content_hash, plan } = compile(&template);
    let plan = plan.map_err(TemplateError::Invalid)?;
    let definition = template.definition;
    let revision = match template.newest.filter(|newest| newest.content_hash == content_hash) {
        Some(newest) => newest.revision,
        None => {
            let found =
                revisions::find_or_store(db, &definition.name, &content_hash, &json).await?;
            found.revision
        }
    };
    Ok(Arc::new(PublishedPlan {
        definition: Arc::new(definition),
        plan,
        revision,
        content_hash,
        definition_json: json.into(),
    }))
}

/// All violations once, without those that only follow from a field that could not be read.
pub fn together(unread: Vec<Violation>, found: Vec<Violation>) -> Vec<Violation> {
    let follows = |violation: &Violation| {
        unread.iter().any(|found| {
            let within = violation.pointer.strip_prefix(found.pointer.as_str());
            within.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let mut all: Vec<Violation> = Vec::new();
    for violation in found.into_iter().filter(|violation| !follows(violation)) {
        if !all.contains(&violation) {
            all.push(violation);
        }
    }
    unread.into_iter().chain(all).collect()
}

/// The definition as JSON with sorted keys and no spaces, so that equal definitions are equal text.
fn canonical(definition: &TemplateDefinition) -> String {
    let value = serde_json::to_value(definition).expect("a definition has text keys");
    canonical_json(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_an_unread_field_is_not_reported_twice() {
        let found = |pointer: &str| Violation {
            pointer: pointer.to_owned(),
            code: "c".to_owned(),
            message: String::new(),
        };
        let all = together(
            vec![found("/steps/0/kind")],
            vec![found("/steps/0/kind/x"), found("/steps/0/kinds"), found("/steps")],
        );
        let pointers: Vec<&str> = all.iter().map(|found| found.pointer.as_str()).collect();
        assert_eq!(pointers, ["/steps/0/kind", "/steps/0/kinds", "/steps"]);
    }
}
