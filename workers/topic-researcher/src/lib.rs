//! Turns a topic into angles and candidate sources
