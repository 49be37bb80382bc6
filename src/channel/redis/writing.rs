//! Appends what is published to the stream of a channel.

use std::{collections::VecDeque, pin::pin, time::Duration};

use redis::{Pipeline, RedisResult, aio::MultiplexedConnection, cmd};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep},
};

use super::{
    BackOff, Publishing, Stream,
    entry::{LINES, SENT_BY, TOPIC, place_of, sent_by},
    reason,
};

/// Redis has not answered in that time: it is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Longer by what a network of so many bytes a second needs.
const SLOW_NETWORK: usize = 128 << 10;
/// How much crosses at a time: events, and bytes where it is more than one.
const MOST_EVENTS: usize = 256;
const MOST_BYTES: usize = 256 << 10;
/// A connection that was idle for longer may have been ended by Redis, or by what is in between.
const IDLE: Duration = Duration::from_secs(1);
/// The stream keeps as many, however short the history: who reads it is never quite at its end. More than
/// cross at a time: while fewer come, none was trimmed before it was read.
const LEAST_ENTRIES: usize = 1000;
/// What Redis takes for a number of entries: a history without a limit is kept by as many.
const MOST_ENTRIES: usize = i64::MAX as usize;

/// A connection, and when Redis answered last.
type Connection = Option<(MultiplexedConnection, Instant)>;

impl Stream {
    /// Writes what is published, for ever: `most` of it may wait.
    pub(super) async fn write(self, mut publishings: UnboundedReceiver<Publishing>, most: usize) {
        let mut waiting = VecDeque::new();
        let mut connection = None;
        let mut back_off = BackOff::default();
        let mut is_told = false;
        loop {
            if waiting.is_empty() {
                match publishings.recv().await {
                    Some(publishing) => waiting.push_back(publishing),
                    None => return,
                }
            }
            while let Ok(publishing) = publishings.try_recv() {
                waiting.push_back(publishing);
            }
            let (additions, bytes) = self.additions(&waiting);
            match self.append(&mut connection, &additions, bytes).await {
                Ok(ids) => {
                    if std::mem::take(&mut is_told) {
                        eprintln!("wapix: Redis can be written again ({})", self.key);
                    }
                    back_off = BackOff::default();
                    for (publishing, id) in waiting.drain(..ids.len()).zip(ids) {
                        if let Some(sent) = publishing.sent {
                            self.channel.taken(sent, &id);
                        }
                        (publishing.done)(Ok(id));
                    }
                }
                Err(error) => {
                    let why = reason(&error);
                    if !std::mem::replace(&mut is_told, true) {
                        eprintln!("wapix: Redis cannot be written ({}): {why}", self.key);
                    }
                    let mut connected = pin!(self.connect_again(&mut back_off));
                    // What is published meanwhile need not wait until it is known that Redis is not there yet.
                    connection = loop {
                        self.send_here(&mut waiting);
                        self.refuse(&mut waiting, most, &why);
                        tokio::select! {
                            connection = &mut connected => break Some(connection),
                            publishing = publishings.recv() => match publishing {
                                Some(publishing) => waiting.push_back(publishing),
                                None => return,
                            },
                        }
                    };
                }
            }
        }
    }

    /// Waits for Redis to be there: it may still refuse what is written.
    async fn connect_again(&self, back_off: &mut BackOff) -> (MultiplexedConnection, Instant) {
        loop {
            sleep(back_off.next()).await;
            if let Ok(mut connection) = self.connect(ANSWER_WITHIN).await
                && cmd("PING").exec_async(&mut connection).await.is_ok()
            {
                return (connection, Instant::now());
            }
        }
    }

    /// Redis is not there: sends what waits to the subscribers of this process.
    fn send_here(&self, waiting: &mut VecDeque<Publishing>) {
        let sent = waiting.partition_point(|publishing| publishing.sent.is_some());
        for publishing in waiting.range_mut(sent..) {
            let Publishing { fields, topic, .. } = publishing;
            publishing.sent = Some(self.channel.send_here(fields, topic.as_deref()));
        }
    }

    /// Keeps as much as may wait.
    fn refuse(&self, waiting: &mut VecDeque<Publishing>, most: usize, why: &str) {
        for refused in waiting.drain(most.min(waiting.len())..) {
            if let Some(sent) = refused.sent {
                self.channel.refuse(sent);
            }
            (refused.done)(Err(why.to_owned()));
        }
    }

    /// The ids that Redis gave.
    async fn append(
        &self,
        connection: &mut Connection,
        additions: &Pipeline,
        bytes: usize,
    ) -> RedisResult<Vec<String>> {
        let (connection, answered) = self.writable(connection).await?;
        let crossing = Duration::from_secs((bytes / SLOW_NETWORK) as u64);
        connection.set_response_timeout(ANSWER_WITHIN + crossing);
        let ids: Vec<String> = additions.query_async(connection).await?;
        *answered = Instant::now();
        *self.written() = ids.last().and_then(|id| place_of(id)).unwrap_or_default();
        Ok(ids)
    }

    async fn writable<'a>(
        &self,
        connection: &'a mut Connection,
    ) -> RedisResult<&'a mut (MultiplexedConnection, Instant)> {
        if let Some((idle, answered)) = connection
            && answered.elapsed() > IDLE
        {
            idle.set_response_timeout(ANSWER_WITHIN / 2);
            if cmd("PING").exec_async(idle).await.is_err() {
                *connection = None;
            }
        }
        match connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert((self.connect(ANSWER_WITHIN).await?, Instant::now()))),
        }
    }

    /// What appends the first of what waits, and how many bytes those are.
    fn additions(&self, waiting: &VecDeque<Publishing>) -> (Pipeline, usize) {
        let kept = self.channel.options.history_events;
        let most = kept.clamp(LEAST_ENTRIES, MOST_ENTRIES);
        let mut pipeline = Pipeline::new();
        // All or none: where Redis took some of them, it would not be known which.
        pipeline.atomic();
        let mut bytes = 0;
        for publishing in waiting.iter().take(MOST_EVENTS) {
            let Publishing { fields, topic, .. } = publishing;
            if bytes > 0 && bytes + fields.len() > MOST_BYTES {
                break;
            }
            bytes += fields.len();
            let add = pipeline.cmd("XADD").arg(&self.key);
            add.arg("MAXLEN").arg("~").arg(most).arg("*");
            add.arg(LINES).arg(fields);
            if let Some(topic) = topic {
                add.arg(TOPIC).arg(topic);
            }
            if let Some(sent) = publishing.sent {
                add.arg(SENT_BY).arg(sent_by(sent));
            }
        }
        (pipeline, bytes)
    }
}
