//! Scores and classifies articles
