//! Fetches and parses feeds
