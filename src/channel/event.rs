//! Events as a channel sends them (HTML standard, 9.2.6).

use std::time::Duration;

use super::Topics;
use crate::body::SharedChunk;

/// The number of what every subscriber gets, whenever it has come.
pub(super) const FOR_ALL: u128 = u128::MAX;

/// A published event.
pub(super) struct Event {
    /// From 1; greater than that of the one before. [`FOR_ALL`] where it has no place among them.
    pub(super) number: u128,
    topic: Option<Box<str>>,
    pub(super) chunk: SharedChunk,
    /// It is for those who are to be sent what comes from a number on that is greater than this one. From then
    /// on they are sent everything: numbers have begun anew.
    pub(super) restarts_beyond: Option<u128>,
    /// It only says how far its subscribers are.
    pub(super) is_notice: bool,
}

impl Event {
    /// `fields` are lines with their ends, all but the one of `id`.
    pub(super) fn new(number: u128, id: &str, fields: &str, topic: Option<&str>) -> Self {
        Self {
            number,
            topic: topic.map(Box::from),
            chunk: SharedChunk::new(&["id: ", id, "\n", fields, "\n"].map(str::as_bytes)),
            restarts_beyond: None,
            is_notice: false,
        }
    }

    /// An event without an id.
    pub(super) fn without_id(fields: &str, topic: Option<&str>) -> Self {
        Self {
            number: FOR_ALL,
            topic: topic.map(Box::from),
            chunk: SharedChunk::new(&[fields, "\n"].map(str::as_bytes)),
            restarts_beyond: None,
            is_notice: false,
        }
    }

    /// How far it is, for whoever has not come after `number`.
    pub(super) fn notice(number: u128, text: &str) -> Self {
        Self {
            number,
            topic: None,
            chunk: SharedChunk::new(&[text.as_bytes()]),
            restarts_beyond: None,
            is_notice: true,
        }
    }

    /// Those who wait for what comes after the event after `number` have an id that is none any more.
    pub(super) fn restart(number: u128, id: &str) -> Self {
        Self {
            restarts_beyond: Some(number),
            is_notice: false,
            ..Self::notice(FOR_ALL, &reset(id))
        }
    }

    /// How much memory it takes, about.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.chunk.len()
    }

    /// Whether a subscriber of `topics` gets it. What has no topic is for everybody.
    pub(super) fn is_of(&self, topics: &Topics) -> bool {
        match (&self.topic, topics) {
            (Some(topic), Some(topics)) => topics.contains(topic),
            _ => true,
        }
    }
}

/// When to connect again, and nothing else: clients see no event.
pub(super) fn retry(retry: Duration) -> String {
    format!("retry: {}\n\n", retry.as_millis())
}

/// Which event was the last, likewise.
pub(super) fn position(id: &str) -> String {
    format!("id: {id}\n\n")
}

/// The client's last event is not known any more. An event without data would be none: its data is empty.
pub(super) fn reset(id: &str) -> String {
    format!("event: reset\nid: {id}\ndata:\n\n")
}

/// The server closes.
pub(super) fn reconnect(retry: Duration) -> String {
    format!("event: reconnect\nretry: {}\ndata:\n\n", retry.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> Topics {
        Some(names.iter().map(|name| Box::from(*name)).collect())
    }

    #[test]
    fn an_event_has_its_id_its_fields_and_an_empty_line() {
        let event = Event::new(7, "a-7", "event: x\ndata: 1\ndata: 2\n", None);
        assert_eq!(
            event.chunk.content(),
            "id: a-7\nevent: x\ndata: 1\ndata: 2\n\n"
        );
        assert_eq!(
            event.chunk.framed(),
            b"22\r\nid: a-7\nevent: x\ndata: 1\ndata: 2\n\n\r\n"
        );
    }

    #[test]
    fn a_topic_is_for_those_who_asked_for_it_or_for_all() {
        let of = |topic| Event::new(1, "a-1", "data: 1\n", topic);
        assert!(of(Some("a")).is_of(&None));
        assert!(of(Some("a")).is_of(&topics(&["b", "a"])));
        assert!(!of(Some("a")).is_of(&topics(&["b"])));
        assert!(!of(Some("a")).is_of(&topics(&[])));
        assert!(of(None).is_of(&topics(&["b"])));
    }

    #[test]
    fn what_the_channel_says_itself() {
        let retry_after = Duration::from_millis(2500);
        assert_eq!(retry(retry_after), "retry: 2500\n\n");
        assert_eq!(position("a-1"), "id: a-1\n\n");
        assert_eq!(reset("a-1"), "event: reset\nid: a-1\ndata:\n\n");
        assert_eq!(
            reconnect(retry_after),
            "event: reconnect\nretry: 2500\ndata:\n\n"
        );
    }
}
