//! How executions lie in an archive object: each is one line of JSON, compressed as a gzip member
//! of its own. Members may follow each other in a file (RFC 1952, section 2.2), so the whole is a
//! gzip file of NDJSON that any tool reads, and one execution is read by its byte range alone.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::db::archive::{Moved, Record};
use crate::templates::sha256_hex;

/// How much of the content's SHA-256 stands in the name of an object.
const HASH_CHARS: usize = 32;
/// The longest line that is read back: what a row and its steps can be, and more.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An object that is ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Its name, which its content decides: what is written twice is written once.
    pub object_key: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Where each execution lies in it.
    pub moved: Vec<Moved>,
}

/// Why a part of an object is no execution.
#[derive(Debug, thiserror::Error)]
#[error("an archived execution cannot be read: {0}")]
pub struct Unreadable(String);

impl Unreadable {
    /// What a reader said.
    pub fn of(error: &impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Packs executions in their order; `None` of nothing. What is no row of an execution is left out.
pub fn pack(records: &[Record]) -> Option<Packed> {
    let (mut bytes, mut moved) = (Vec::new(), Vec::new());
    let mut day = None;
    for record in records {
        let column = |name: &str| record.execution[name].as_str();
        let (Some(id), Some(seq)) =
            (column("pipeline_id"), record.execution["journal_seq"].as_u64())
        else {
            continue;
        };
        let member = member(record);
        moved.push(Moved {
            id: id.to_owned(),
            seq,
            first_byte: bytes.len() as u64,
            bytes: member.len() as u64,
        });
        bytes.extend(member);
        day = day.or_else(|| column("created_at")?.get(..10).map(str::to_owned));
    }
    if moved.is_empty() {
        return None;
    }
    let hash = sha256_hex(&bytes);
    let (hash, _) = hash.split_at(HASH_CHARS);
    let day = day.unwrap_or_else(|| "undated".to_owned());
    Some(Packed { object_key: format!("archive/executions/{day}/{hash}.ndjson.gz"), bytes, moved })
}

/// Reads the member of one execution.
pub fn unpack(member: &[u8]) -> Result<Record, Unreadable> {
    let mut line = Vec::new();
    let mut reader = GzDecoder::new(member).take(LINE_BYTES_MAX);
    reader.read_to_end(&mut line).map_err(|error| Unreadable::of(&error))?;
    serde_json::from_slice(&line).map_err(|error| Unreadable::of(&error))
}

/// Cuts into groups, each of which is an object: at most so many bytes before compression, and at
/// least one execution.
pub fn groups<'a>(sizes: &[(&'a str, u64)], bytes_max: u64) -> Vec<Vec<&'a str>> {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    let mut left = 0;
    for (id, bytes) in sizes {
        if groups.is_empty() || *bytes > left {
            groups.push(Vec::new());
            left = bytes_max;
        }
        left = left.saturating_sub(*bytes);
        groups.last_mut().expect("one was pushed").push(id);
    }
    groups
}

fn member(record: &Record) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut line = serde_json::to_vec(record).expect("rows are JSON");
    line.push(b'\n');
    encoder.write_all(&line).expect("a vector takes all that is written");
    encoder.finish().expect("a vector takes all that is written")
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;

    use flate2::read::MultiGzDecoder;
    use serde_json::json;

    use super::*;

    fn record(n: usize) -> Record {
        let execution = json!({
            "pipeline_id": format!("pipe_{n}"), "journal_seq": n,
            "created_at": format!("2026-01-{:02}T00:00:00.000Z", n + 1),
            "request": "{\"topic\":\"ä\\n\"}",
        });
        Record { execution, steps: vec![json!({ "step_name": "a" }); n] }
    }

    #[test]
    fn each_execution_is_read_by_its_own_range() {
        let records: Vec<Record> = (0..20).map(record).collect();
        let packed = pack(&records).unwrap();
        assert_eq!(packed.moved.len(), 20);
        for (record, moved) in records.iter().zip(&packed.moved) {
            let from = usize::try_from(moved.first_byte).unwrap();
            let to = from + usize::try_from(moved.bytes).unwrap();
            assert_eq!(&unpack(&packed.bytes[from..to]).unwrap(), record);
            assert_eq!(record.execution["pipeline_id"], moved.id);
        }
    }

    #[test]
    fn the_whole_is_a_gzip_file_of_lines() {
        let records: Vec<Record> = (0..5).map(record).collect();
        let packed = pack(&records).unwrap();
        let reader = std::io::BufReader::new(MultiGzDecoder::new(packed.bytes.as_slice()));
        let lines: Vec<Record> =
            reader.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert_eq!(lines, records);
    }

    #[test]
    fn the_name_follows_from_the_content() {
        let packed = pack(&[record(1), record(2)]).unwrap();
        assert_eq!(packed, pack(&[record(1), record(2)]).unwrap());
        assert!(packed.object_key.starts_with("archive/executions/2026-01-02/"));
        assert!(packed.object_key.ends_with(".ndjson.gz"));
        assert_ne!(packed.object_key, pack(&[record(1), record(3)]).unwrap().object_key);
        assert_eq!(pack(&[]), None);
        let no_row = Record { execution: json!({}), steps: Vec::new() };
        assert_eq!(pack(&[no_row]), None);
    }

    #[test]
    fn what_is_no_member_is_refused() {
        assert!(unpack(b"no gzip").is_err());
        let packed = pack(&[record(1)]).unwrap();
        assert!(unpack(&packed.bytes[..packed.bytes.len() / 2]).is_err());
    }

    #[test]
    fn groups_keep_to_the_limit_and_leave_nobody_out() {
        let sizes = [("a", 4), ("b", 4), ("c", 9), ("d", 50), ("e", 1), ("f", 1)];
        let found = groups(&sizes, 10);
        assert_eq!(found, [vec!["a", "b"], vec!["c"], vec!["d"], vec!["e", "f"]]);
        assert_eq!(groups(&[], 10), Vec::<Vec<&str>>::new());
    }
}
