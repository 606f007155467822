//! The only reader of the platform's clock and randomness.

use engine::time::Timestamp;

/// The moment. In production it stands still while the CPU works, and moves with each I/O.
pub fn now() -> Timestamp {
    Timestamp::from_millis(now_ms())
}

/// One number crosses from JavaScript, and no `Date`.
#[cfg(target_arch = "wasm32")]
fn now_ms() -> i64 {
    worker::js_sys::Date::now() as i64
}

#[cfg(not(target_arch = "wasm32"))]
fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// 64 random bits.
pub fn entropy() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Random bits for all decisions of a driver: the platform is asked once. They spread retries, and
/// no secret is made of them.
pub struct Entropy(u64);

impl Entropy {
    /// Asks the platform.
    pub fn fresh() -> Self {
        Self(entropy())
    }

    /// The next 64 bits, by SplitMix64 (Steele, Lea and Flood, 2014).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
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
