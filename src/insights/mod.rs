//! Analysis: pure functions over the rows that the projection left. No I/O, no clock, no HTTP.

pub mod alerts;
mod bottlenecks;
pub mod costs;
pub mod histogram;
mod material;
mod measures;
pub mod readings;
mod recommend;
mod report;

pub use histogram::Histogram;
pub use material::Material;
pub use report::{Figures, Period, report};
