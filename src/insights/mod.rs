//! Analysis: pure functions over the rows that the projection left. No I/O, no clock, no HTTP.

pub mod histogram;

pub use histogram::Histogram;
