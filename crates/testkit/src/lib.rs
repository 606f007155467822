//! Starts the local stack, talks to it, injects faults and checks the outcome
