//! Finds feeds for a topic in a curated catalogue
