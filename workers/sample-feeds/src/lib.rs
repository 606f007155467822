//! Serves sample feeds for offline use
