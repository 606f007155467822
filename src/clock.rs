//! The only reader of the platform's clock and randomness.

use engine::time::Timestamp;

/// The moment. In production it stands still while the CPU works, and moves with each I/O.
pub fn now() -> Timestamp {
    Timestamp::from_millis(chrono::Utc::now().timestamp_millis())
}

/// 64 random bits.
pub fn entropy() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// 128 random bits.
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    u128::from_le_bytes(bytes)
}

/// Fills `bytes` with randomness.
pub fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the platform always has randomness for a request");
}
