//! What a subscription is of: its source, and which of the source's events pass. Pure.

use api_types::live::{LiveFilter, LiveSubscribe};
use engine::ids::ExecutionId;

use super::place::Place;
use super::refusal::Refusal;

/// The topic of a journal begins so.
const EXECUTION: &str = "execution:";
/// Events of this topic are shown to administrators alone.
const ADMINISTRATION: &str = "administration";

/// Where events come from. Those of one source have one order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The account's rows of `events`.
    Events,
    /// The account's rows of `agent_logs`.
    AgentLogs,
    /// The journal of an execution.
    Journal(ExecutionId),
}

/// What happened, as a source has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Where it stands.
    pub place: Place,
    /// What filters look at.
    pub facts: Facts,
    /// It as clients see it: JSON text.
    pub body: String,
}

/// What filters look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    /// Of an event.
    Event {
        /// Its topic.
        topic: String,
        /// What happened.
        event_type: String,
        /// To what.
        subject: Option<String>,
    },
    /// Of a log entry.
    Log {
        /// What happened.
        event_type: String,
        /// Whose it is: in the order of [`log_fields`].
        fields: [Option<String>; 6],
    },
    /// Everything in a journal is shown.
    Journal,
}

/// What a subscription is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    source: Source,
    /// Of events: the one topic that is wanted.
    topic: Option<String>,
    filter: LiveFilter,
    administers: bool,
}

impl Topic {
    /// Reads what a client asks for. `administers` says whether it may see what administrators do.
    pub fn of(asked: &LiveSubscribe, administers: bool) -> Result<Self, Refusal> {
        let filter = asked.filter.clone().unwrap_or_default();
        let source = match asked.topic.as_str() {
            "executions" | "jobs" | "tasks" | "events" => Source::Events,
            "agent_logs" => Source::AgentLogs,
            other => {
                let id = other.strip_prefix(EXECUTION).ok_or(Refusal::TopicUnknown)?;
                Source::Journal(id.parse().map_err(|_| Refusal::TopicUnknown)?)
            }
        };
        let topic = match (asked.topic.as_str(), &source) {
            ("events", _) => filter.topic.clone(),
            (name, Source::Events) => Some(name.to_owned()),
            (_, Source::AgentLogs | Source::Journal(_)) => None,
        };
        if let Some(field) = misplaced(&asked.topic, &source, &filter) {
            return Err(Refusal::FilterMisplaced(field));
        }
        if topic.as_deref() == Some(ADMINISTRATION) && !administers {
            return Err(Refusal::AdministratorsOnly);
        }
        Ok(Self { source, topic, filter, administers })
    }

    /// Where its events come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The place that a cursor of this topic names.
    pub fn place(&self, cursor: &str) -> Option<Place> {
        match self.source {
            Source::Events | Source::AgentLogs => Place::parse(cursor),
            Source::Journal(_) => Place::parse_in_journal(cursor),
        }
    }

    /// The cursor of a place.
    pub fn cursor(&self, place: Place) -> String {
        match self.source {
            Source::Events | Source::AgentLogs => place.0.to_string(),
            Source::Journal(_) => place.in_journal().to_string(),
        }
    }

    /// Whether something of its source is wanted.
    pub fn passes(&self, facts: &Facts) -> bool {
        match facts {
            Facts::Event { topic, event_type, subject } => {
                self.topic.as_ref().is_none_or(|wanted| wanted == topic)
                    && (self.administers || topic != ADMINISTRATION)
                    && self.is_of_type(event_type)
                    && (self.filter.subject.is_none() || self.filter.subject == *subject)
            }
            Facts::Log { event_type, fields } => {
                let wanted = log_fields(&self.filter).map(|(_, wanted)| wanted);
                let all = wanted.iter().zip(fields);
                self.is_of_type(event_type)
                    && all.into_iter().all(|(wanted, found)| {
                        wanted.is_none() || wanted.as_deref() == found.as_deref()
                    })
            }
            Facts::Journal => true,
        }
    }

    fn is_of_type(&self, found: &str) -> bool {
        let Some(wanted) = self.filter.event_type.as_deref() else { return true };
        match wanted.strip_suffix('*') {
            Some(beginning) if beginning.ends_with('.') => found.starts_with(beginning),
            Some(_) | None => found == wanted,
        }
    }
}

/// The fields of a filter that are about log entries, with their names.
pub fn log_fields(filter: &LiveFilter) -> [(&'static str, &Option<String>); 6] {
    let LiveFilter {
        topic: _,
        event_type: _,
        subject: _,
        agent_id,
        session_id,
        task_slug,
        adw_id,
        adw_step,
        event_category,
    } = filter;
    [
        ("agent_id", agent_id),
        ("session_id", session_id),
        ("task_slug", task_slug),
        ("adw_id", adw_id),
        ("adw_step", adw_step),
        ("event_category", event_category),
    ]
}

/// The first field of a filter that says nothing about the topic: it would be a surprise to ignore
/// it.
fn misplaced(topic: &str, source: &Source, filter: &LiveFilter) -> Option<&'static str> {
    let of_events = [("topic", filter.topic.is_some()), ("subject", filter.subject.is_some())];
    let log = || log_fields(filter).into_iter().find(|(_, field)| field.is_some());
    let event = || of_events.into_iter().find(|(_, there)| *there);
    match source {
        Source::Events => {
            let twice = (topic != "events" && filter.topic.is_some()).then_some("topic");
            twice.or_else(|| log().map(|(name, _)| name))
        }
        Source::AgentLogs => event().map(|(name, _)| name),
        Source::Journal(_) => {
            let kind = filter.event_type.is_some().then_some("type");
            kind.or_else(|| event().map(|(name, _)| name)).or_else(|| log().map(|(name, _)| name))
        }
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "pipe_1_00000000000000000000000000";

    pub fn asked(topic: &str, filter: Value) -> LiveSubscribe {
        let message = json!({ "type": "subscribe", "id": "s", "topic": topic, "filter": filter });
        serde_json::from_value(message).unwrap()
    }

    pub fn topic(name: &str, filter: Value) -> Topic {
        Topic::of(&asked(name, filter), false).unwrap()
    }

    fn event(topic: &str, event_type: &str, subject: Option<&str>) -> Facts {
        let subject = subject.map(str::to_owned);
        Facts::Event { topic: topic.into(), event_type: event_type.into(), subject }
    }

    #[test]
    fn a_topic_lets_its_own_events_pass() {
        let (job, task) = (event("jobs", "job.created", Some("1")), event("tasks", "task.x", None));
        for (name, filter, passes) in [
            ("jobs", json!({}), [true, false]),
            ("tasks", json!({}), [false, true]),
            ("events", json!({}), [true, true]),
            ("events", json!({ "topic": "jobs" }), [true, false]),
            ("events", json!({ "type": "job.*" }), [true, false]),
            ("events", json!({ "type": "job.created" }), [true, false]),
            ("events", json!({ "type": "job.creat*" }), [false, false]),
            ("events", json!({ "type": "job" }), [false, false]),
            ("jobs", json!({ "subject": "1" }), [true, false]),
            ("jobs", json!({ "subject": "2" }), [false, false]),
        ] {
            let topic = topic(name, filter.clone());
            assert_eq!([topic.passes(&job), topic.passes(&task)], passes, "{name} {filter}");
        }
    }

    #[test]
    fn what_administrators_do_is_for_administrators() {
        let done = event("administration", "administration.worker_changed", None);
        assert!(!topic("events", json!({})).passes(&done));
        let wanted = asked("events", json!({ "topic": "administration" }));
        assert_eq!(Topic::of(&wanted, false), Err(Refusal::AdministratorsOnly));
        assert!(Topic::of(&wanted, true).unwrap().passes(&done));
        assert!(Topic::of(&asked("events", json!({})), true).unwrap().passes(&done));
    }

    #[test]
    fn entries_pass_by_whose_they_are() {
        let mut fields = [const { None }; 6];
        fields[0] = Some("a-1".to_owned());
        fields[5] = Some("hook".to_owned());
        let entry = Facts::Log { event_type: "Stop".into(), fields };
        for (filter, passes) in [
            (json!({}), true),
            (json!({ "agent_id": "a-1", "event_category": "hook", "type": "Stop" }), true),
            (json!({ "agent_id": "a-2" }), false),
            (json!({ "session_id": "s" }), false),
            (json!({ "type": "Start" }), false),
        ] {
            assert_eq!(topic("agent_logs", filter.clone()).passes(&entry), passes, "{filter}");
        }
    }

    #[test]
    fn what_is_no_topic_and_what_filters_nothing_is_refused() {
        for name in ["", "job", "execution", "execution:", "execution:nope", "Events"] {
            assert_eq!(Topic::of(&asked(name, json!({})), true), Err(Refusal::TopicUnknown));
        }
        let journal = format!("{EXECUTION}{ID}");
        for (name, field, filter) in [
            ("jobs", "topic", json!({ "topic": "jobs" })),
            ("events", "agent_id", json!({ "agent_id": "a" })),
            ("agent_logs", "subject", json!({ "subject": "a" })),
            (journal.as_str(), "type", json!({ "type": "started" })),
        ] {
            let refused = Topic::of(&asked(name, filter), true);
            assert_eq!(refused, Err(Refusal::FilterMisplaced(field)), "{name}");
        }
        assert!(topic(&journal, json!({})).passes(&Facts::Journal));
    }
}
