//! What bounds a connection and a Live object, each with its reason. docs/live.md has the same.

use engine::time::Millis;

/// Connections of one account: as many buffers of [`WINDOW_BYTES`] at most as the object's memory
/// bears while few of them are full, see [`UNACKNOWLEDGED_BYTES_MAX`].
pub const CONNECTIONS_MAX: usize = 5_000;
/// Connections that nobody has authenticated yet.
pub const PENDING_MAX: usize = 200;
/// Subscriptions of one connection.
pub const SUBSCRIPTIONS_MAX: usize = 64;
/// Journals that the connections of an account watch: each is read by itself.
pub const JOURNALS_MAX: usize = 500;
/// The longest message from a client.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Messages of a client: so many a second for long, and so many at once.
pub const MESSAGES_PER_S: u32 = 50;
/// See [`MESSAGES_PER_S`].
pub const MESSAGES_AT_ONCE: u32 = 200;
/// Messages that were not understood, until the connection is closed.
pub const ERRORS_MAX: u32 = 100;

/// What may be sent that was not acknowledged.
pub const WINDOW_MESSAGES: usize = 1_000;
/// See [`WINDOW_MESSAGES`]. One event may be larger where nothing else is under way.
pub const WINDOW_BYTES: usize = 256 * 1024;
/// The same of all connections together, beyond which each has its share: the platform keeps what
/// is not yet sent in the object's 128 MB.
pub const UNACKNOWLEDGED_BYTES_MAX: usize = 48 * 1024 * 1024;
/// The least share.
pub const SHARE_BYTES_MIN: usize = 8 * 1024;
/// How long a full window may stay full.
pub const LAGGING_FOR: Millis = Millis::from_secs(10);

/// How long a connection may say nothing of who it is.
pub const AUTHENTICATE_WITHIN: Millis = Millis::from_secs(10);
/// How long a ticket is good.
pub const TICKET_LIFE: Millis = Millis::from_secs(30);
/// Tickets of an account that were not used yet.
pub const TICKETS_MAX: u64 = 1_000;
/// How long a credential is taken to be as good as it was: as long as an access token lives.
pub const CONNECTION_LIFE: Millis = Millis::from_secs(1_800);

/// The first and the longest pause between two looks at the database while somebody listens. The
/// longest one is beyond the 10 s after which the platform lets an idle object sleep: writers poke
/// the object, so that a look finds nothing but what a lost poke left behind.
pub const LOOK_AGAIN_MIN: Millis = Millis::from_secs(1);
/// See [`LOOK_AGAIN_MIN`].
pub const LOOK_AGAIN_MAX: Millis = Millis::from_secs(30);
/// The first and the longest pause between two looks at a journal that is being written.
pub const JOURNAL_AGAIN_MIN: Millis = Millis::new(100);
/// See [`JOURNAL_AGAIN_MIN`].
pub const JOURNAL_AGAIN_MAX: Millis = Millis::from_secs(2);
/// Rows that one read brings at most, and reads of one look.
pub const ROWS_AT_ONCE: u32 = 500;
/// See [`ROWS_AT_ONCE`].
pub const READS_MAX: u32 = 40;
/// How often a subscribed connection hears that it lives: a dead one is found by it.
pub const HEARTBEAT: Millis = Millis::from_secs(30);
/// The same of one that has no subscription.
pub const HEARTBEAT_IDLE: Millis = Millis::from_secs(600);
/// A connection that has sent pings is dead when it sends nothing for so long.
pub const SILENT_FOR: Millis = Millis::from_secs(150);
