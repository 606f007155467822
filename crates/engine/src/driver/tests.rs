//! Stories of a driver.
