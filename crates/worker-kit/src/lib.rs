//! What the reference workers share: authentication, envelope, health, cost report, model client
