//! JSON Schemas of tools. The engine does not know JSON Schema itself: whoever compiles a plan
//! brings what does, and the plan keeps what it made.

use std::fmt::Debug;
use std::sync::Arc;

use serde_json::Value;

use super::Violation;

/// The most violations that one check names.
pub const VIOLATIONS_MAX: usize = 16;

/// What knows JSON Schema.
pub trait Schemas {
    /// The schema, ready to check with; or why it is none.
    fn compile(&self, schema: &Value) -> Result<Arc<dyn Fits>, String>;
}

/// A compiled schema. The same instance has the same violations at all times.
pub trait Fits: Debug + Send + Sync {
    /// Everything in `instance` that does not fit, at most `most`, each with a pointer into it.
    fn violations(&self, instance: &Value, most: usize) -> Vec<Violation>;
}

/// Knows no schema: nothing that has one can be called. For plans without tools.
#[derive(Clone, Copy, Debug)]
pub struct NoSchemas;

impl Schemas for NoSchemas {
    fn compile(&self, _: &Value) -> Result<Arc<dyn Fits>, String> {
        Err("nobody here knows JSON Schema".to_owned())
    }
}

/// What an input or output must be.
#[derive(Clone, Debug, Default)]
pub enum Schema {
    /// Anything.
    #[default]
    Any,
    /// What fits.
    Known(Arc<dyn Fits>),
    /// What was written is no schema, and says why: a snapshot may be older than the rule that
    /// refuses it.
    Unusable(String),
}

impl Schema {
    pub(super) fn compile(source: Option<&Value>, schemas: &dyn Schemas) -> Self {
        let Some(source) = source.filter(|source| !source.is_null()) else { return Self::Any };
        match schemas.compile(source) {
            Ok(fits) => Self::Known(fits),
            Err(why) => Self::Unusable(why),
        }
    }

    /// What of `instance` does not fit.
    pub fn violations(&self, instance: &Value) -> Vec<Violation> {
        match self {
            Self::Any => Vec::new(),
            Self::Known(fits) => fits.violations(instance, VIOLATIONS_MAX),
            Self::Unusable(why) => vec![Violation {
                pointer: String::new(),
                code: "schema_unusable".to_owned(),
                message: format!("cannot be checked: the schema is none: {why}"),
            }],
        }
    }
}

/// Two schemas are equal when they are the same one, as plans are.
impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any) => true,
            (Self::Known(one), Self::Known(other)) => Arc::ptr_eq(one, other),
            (Self::Unusable(one), Self::Unusable(other)) => one == other,
            (Self::Any | Self::Known(_) | Self::Unusable(_), _) => false,
        }
    }
}
