//! Stories of a shard.

mod family;
mod figures;
mod inbox;
mod lease;
mod parked;
mod projection;
mod random;
mod reopen;
mod start;
mod wire;

use std::convert::Infallible;

use serde_json::{Value, json};

use super::memory::MemoryStore;
use super::*;
use crate::ids::{Epoch, InboxSeq, Seq, ShardId};

const LEASE_MS: i64 = 30_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn id(n: u128) -> ExecutionId {
    ExecutionId::new(at(0), ShardId(0), n)
}

fn shard() -> Shard<MemoryStore> {
    let Ok(shard) = Shard::load(MemoryStore::default(), Timing::default(), at(0));
    shard
}

fn restarted(shard: &Shard<MemoryStore>, ms: i64) -> Shard<MemoryStore> {
    let Ok(shard) = Shard::load(shard.store().clone(), Timing::default(), at(ms));
    shard
}

fn ask<S>(shard: &mut Shard<S>, ms: i64, request: Request, record: &str) -> Reply
where
    S: Store<Error = Infallible>,
{
    let answer: Result<_, Infallible> = shard.handle(at(ms), request, record);
    let Ok((reply, _)) = answer;
    reply
}

fn start_with(key: Option<(&str, &str)>, n: u128, after: After) -> Request {
    let idempotency =
        key.map(|(key, body)| Idempotency { key_hash: key.to_owned(), body_hash: body.to_owned() });
    Request::Start {
        id: id(n),
        account: "default".to_owned(),
        at: at(0),
        idempotency,
        after,
        parent: None,
        driven: true,
    }
}

fn start(shard: &mut Shard<MemoryStore>, n: u128) {
    let reply = ask(shard, 0, start_with(None, n, After::Active), "[0]");
    assert_eq!(reply, Reply::Started { epoch: Epoch(1) });
}

fn append(n: u128, epoch: u64, seq: u64, after: After) -> Request {
    Request::Append { id: id(n), epoch: Epoch(epoch), seq: Seq(seq), after, seen: InboxSeq(0) }
}

/// An append that acknowledges.
fn hearing(n: u128, seq: u64, after: After, seen: u64) -> Request {
    let epoch = Epoch(1);
    Request::Append { id: id(n), epoch, seq: Seq(seq), after, seen: InboxSeq(seen) }
}

fn child(n: u128, parent: u128, after: After) -> Request {
    Request::Start {
        id: id(n),
        account: "default".to_owned(),
        at: at(0),
        idempotency: None,
        after,
        parent: Some(id(parent)),
        driven: false,
    }
}

fn release(n: u128, epoch: u64, seen: u64, wake_at: i64) -> Request {
    Request::Release {
        seq: None,
        id: id(n),
        epoch: Epoch(epoch),
        seen: InboxSeq(seen),
        wake_at: at(wake_at),
    }
}

fn take(n: u128) -> Request {
    Request::Take { id: id(n) }
}

fn post(n: u128, entry: &str) -> Request {
    Request::Post { id: id(n), entry: json!(entry), key: None, reopens: false }
}

fn post_with(key: &str, n: u128, entry: &str) -> Request {
    Request::Post { id: id(n), entry: json!(entry), key: Some(key.to_owned()), reopens: false }
}

fn reopen(n: u128, entry: &str) -> Request {
    Request::Post { id: id(n), entry: json!(entry), key: None, reopens: true }
}

fn posted(n: u64) -> Reply {
    Reply::Posted { n: InboxSeq(n) }
}

/// The places of what a reply brings.
fn brought(reply: &Reply) -> Vec<u64> {
    match reply {
        Reply::Appended { inbox }
        | Reply::Taken { inbox, .. }
        | Reply::Renewed { inbox }
        | Reply::InboxNotEmpty { inbox } => inbox.iter().map(|entry| entry.n.0).collect(),
        other => panic!("{other:?}"),
    }
}

fn row_of(shard: &Shard<MemoryStore>, n: u128) -> ExecutionRow {
    let Ok(row) = shard.store().execution(&id(n));
    row.unwrap()
}

/// What no driver has acknowledged, as a driver that takes it would be told.
fn inbox_of(shard: &Shard<MemoryStore>, n: u128) -> Vec<Value> {
    let row = row_of(shard, n);
    let Ok(entries) = shard.store().inbox(&id(n), row.inbox_seen);
    entries.into_iter().map(|entry| entry.entry).collect()
}

fn phase_of(shard: &mut Shard<MemoryStore>, n: u128) -> Phase {
    match ask(shard, 0, Request::Peek { id: id(n) }, "") {
        Reply::Standing { phase, .. } => phase,
        other => panic!("{other:?}"),
    }
}

fn appended() -> Reply {
    Reply::Appended { inbox: Vec::new() }
}

fn hints<S: Store<Error = Infallible>>(shard: &mut Shard<S>, ms: i64) -> Vec<ExecutionId> {
    let Ok(tasks) = shard.tasks(at(ms));
    if !tasks.project.is_empty() {
        let Ok(()) = shard.projected(at(ms), Ok(&tasks.project));
    }
    tasks.hints
}
