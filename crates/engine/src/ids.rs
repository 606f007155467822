//! Identifiers and counters as types, so that a fence can never stand where an epoch is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most shards an id can name: two base36 characters.
pub const SHARDS_MAX: u16 = 36 * 36;
const RANDOM_LEN: usize = 24;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// `pipe_<unix ms>_<shard, 2 base36 characters><24 random base36 characters>`.
///
/// The shard stands in the id, so any id finds its journal without a look-up; the random part
/// carries 124 bits, so ids of one millisecond never meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId(String);

/// Why a text is no execution id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an execution id reads pipe_<unix ms>_<26 characters of 0-9a-z>")]
pub struct MalformedId;

impl ExecutionId {
    /// Makes an id from the time, the shard and randomness, which the caller brings.
    pub fn new(now: crate::time::Timestamp, shard: ShardId, random: u128) -> Self {
        let mut tail = [b'0'; 2 + RANDOM_LEN];
        tail[0] = ALPHABET[usize::from(shard.0 / 36 % 36)];
        tail[1] = ALPHABET[usize::from(shard.0 % 36)];
        let mut rest = random;
        for place in tail[2..].iter_mut().rev() {
            *place = ALPHABET[(rest % 36) as usize];
            rest /= 36;
        }
        let tail = std::str::from_utf8(&tail).expect("the alphabet is ASCII");
        Self(format!("pipe_{}_{tail}", now.as_millis().max(0)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shard whose journal holds this execution.
    pub fn shard(&self) -> ShardId {
        let tail = &self.0.as_bytes()[self.0.len() - RANDOM_LEN - 2..];
        ShardId(u16::from(digit(tail[0])) * 36 + u16::from(digit(tail[1])))
    }

    /// The moment in the id: when the execution was asked for.
    pub fn created_at(&self) -> crate::time::Timestamp {
        let ms = self.0["pipe_".len()..].split('_').next().and_then(|text| text.parse().ok());
        crate::time::Timestamp::from_millis(ms.expect("an id was parsed or made with its time"))
    }
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte - b'a' + 10,
    }
}

impl FromStr for ExecutionId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let rest = text.strip_prefix("pipe_").ok_or(MalformedId)?;
        let (ms, tail) = rest.split_once('_').ok_or(MalformedId)?;
        let ms_fits = (1..=15).contains(&ms.len()) && ms.bytes().all(|b| b.is_ascii_digit());
        let tail_fits = tail.len() == RANDOM_LEN + 2
            && tail.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        if ms_fits && tail_fits { Ok(Self(text.to_owned())) } else { Err(MalformedId) }
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ExecutionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ExecutionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The number of a journal shard, below [`SHARDS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl ShardId {
    /// Spreads a hash over `shards` journals.
    pub fn pick(hash: u64, shards: u16) -> Self {
        let shards = u64::from(shards.clamp(1, SHARDS_MAX));
        Self(u16::try_from(hash % shards).expect("a remainder of a u16 fits in a u16"))
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// The number that only the result of one attempt may carry; rises over a whole execution.
    Fence
}
counter! {
    /// The number of the lease under which a driver may append.
    Epoch
}
counter! {
    /// The place of a record in an execution's journal; the start has 1.
    Seq
}
counter! {
    /// The place of an entry in an execution's inbox; the first has 1.
    InboxSeq
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn an_id_names_its_shard_and_its_moment() {
        for shard in [0, 1, 35, 36, 255, 1295] {
            let id = ExecutionId::new(Timestamp::from_millis(1_700_000_000_123), ShardId(shard), 7);
            assert_eq!(id.shard(), ShardId(shard));
            assert_eq!(id.created_at(), Timestamp::from_millis(1_700_000_000_123));
            assert_eq!(id.as_str().parse(), Ok(id.clone()));
        }
    }

    #[test]
    fn a_malformed_id_is_refused() {
        let good = ExecutionId::new(Timestamp::from_millis(1), ShardId(3), u128::MAX);
        for text in ["", "pipe_", "pipe_1_abc", "run_1_0", "pipe_x_00000000000000000000000000"] {
            assert_eq!(text.parse::<ExecutionId>(), Err(MalformedId), "{text}");
        }
        assert!(good.as_str().to_uppercase().parse::<ExecutionId>().is_err());
        assert!(format!("{good}0").parse::<ExecutionId>().is_err());
    }
}
