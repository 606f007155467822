//! The two renderings of a [`crate::document::Document`].

mod html;
mod markdown;
mod svg;
mod tags;

pub use html::render as html;
pub use markdown::render as markdown;
