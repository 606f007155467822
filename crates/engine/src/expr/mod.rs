//! Expressions: conditions and mappings.
