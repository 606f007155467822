//! Templates: the definition as data and the plan that cannot be invalid.

pub mod definition;
