//! Writes the intelligence report
