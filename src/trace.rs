//! W3C Trace Context: the trace that a request belongs to, and what is passed on to workers.
//! See <https://www.w3.org/TR/trace-context/>, version 00.

use std::fmt;

const SAMPLED: u8 = 0x01;

/// One span of a trace: what stands in a `traceparent` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// A new span: of the caller's trace when its `traceparent` is valid, else of a new trace.
    /// `random` makes the ids.
    pub fn continued(traceparent: Option<&str>, random: [u8; 24]) -> Self {
        let mut trace_id = [0; 16];
        let mut span_id = [0; 8];
        trace_id.copy_from_slice(&random[..16]);
        span_id.copy_from_slice(&random[16..]);
        // All zeroes is no valid id.
        trace_id[15] |= u8::from(trace_id == [0; 16]);
        span_id[7] |= u8::from(span_id == [0; 8]);
        match traceparent.and_then(Self::parse) {
            Some(parent) => Self { span_id, ..parent },
            None => Self { trace_id, span_id, flags: SAMPLED },
        }
    }

    /// The trace's id in hex, for the log.
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = bytes::<1>(parts.next()?)?[0];
        let trace_id = bytes::<16>(parts.next()?)?;
        let span_id = bytes::<8>(parts.next()?)?;
        let flags = bytes::<1>(parts.next()?)?[0];
        // A later version may add parts; version 00 has exactly four, and ff does not exist.
        let whole = version != 0xff && (version != 0 || parts.next().is_none());
        let valid = whole && trace_id != [0; 16] && span_id != [0; 8];
        valid.then_some(Self { trace_id, span_id, flags: flags & SAMPLED })
    }
}

/// The `traceparent` header that makes this span the parent.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", hex(&self.trace_id), hex(&self.span_id), self.flags)
    }
}

/// The trace's id in a `traceparent` header.
pub fn id_of(traceparent: &str) -> Option<String> {
    TraceContext::parse(traceparent).map(|context| context.trace_id())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes in lower-case hex.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != N * 2 || !text.bytes().all(lower) {
        return None;
    }
    let mut found = [0; N];
    for (place, at) in found.iter_mut().zip((0..).step_by(2)) {
        *place = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_parent_is_continued_by_a_new_span() {
        let span = TraceContext::continued(Some(PARENT), [7; 24]);
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-0707070707070707-01";
        assert_eq!(span.to_string(), header);
        assert_eq!(span.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn an_invalid_parent_gives_way_to_a_new_trace() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            let span = TraceContext::continued(Some(bad), [9; 24]);
            assert_eq!(span.trace_id(), "09".repeat(16), "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more";
        let span = TraceContext::continued(Some(later), [0; 24]);
        assert_eq!(span.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01");
    }
}
