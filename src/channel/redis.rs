//! A channel of several processes: its events are the entries of a Redis stream, which each of them reads.
//!
//! An event gets its id from Redis, and comes to the subscribers of every process, the publisher's own, by
//! reading the stream: all see one order. While Redis cannot be reached, what is published here is sent to
//! the subscribers here without an id: where they come back with the last id, they miss nothing of the stream.

mod entry;

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Pipeline, RedisResult, Value,
    aio::MultiplexedConnection,
    cmd,
    streams::{StreamId, StreamRangeReply, StreamReadReply},
};
use tokio::{
    runtime::{self, Handle},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep, sleep_until},
};

use self::entry::{Entry, LINES, SENT_BY, TOPIC, sent_by};
use super::{Channel, OpenError};

/// Where the stream of a channel is.
#[derive(Clone, Debug, PartialEq)]
pub struct RedisOptions {
    /// `redis://user:password@host:port/database`, or `unix:///path`.
    pub url: String,
    /// How many events wait for a Redis that cannot be reached, before publishing fails.
    pub queue: usize,
}

/// Hears what became of an event: the id that Redis gave it, or why it has none.
pub type Published = Box<dyn FnOnce(Result<String, String>) + Send>;

/// An event on its way to Redis.
pub(super) struct Publishing {
    pub(super) fields: String,
    pub(super) topic: Option<String>,
    pub(super) done: Published,
    /// Its number among those that the subscribers of this process were sent without an id, where it is one.
    pub(super) sent: Option<u64>,
}

pub(super) type ToRedis = UnboundedSender<Publishing>;

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Redis has not answered in that time: it is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long one reading of the stream waits for an entry, in milliseconds: a network that was cut is noticed.
const BLOCK: u32 = 2000;
/// How long it is waited before it is tried again; twice as long each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How many entries cross at a time.
const AT_A_TIME: usize = 256;
/// The stream keeps as many, however short the history: who reads it is never quite at its end. More than
/// cross at a time: while fewer come, none was trimmed before it was read.
const LEAST_ENTRIES: usize = 1000;

/// The id before the first.
const BEGINNING: &str = "0-0";

/// Where connections to Redis are served: a thread of the process, as channels are of the process.
static RUNTIME: LazyLock<Result<Handle, String>> = LazyLock::new(|| {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("wapix-redis".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(|error| error.to_string())?;
    Ok(handle)
});

impl RedisOptions {
    /// # Errors
    /// Why the address is none.
    pub fn check_url(url: &str) -> Result<(), OpenError> {
        client(url).map(drop)
    }
}

fn client(url: &str) -> Result<Client, OpenError> {
    Client::open(url).map_err(|error| OpenError::Redis(error.to_string()))
}

/// Begins to read the stream of `channel`, and to write what the result is given.
pub(super) fn start(
    channel: &Arc<Channel>,
    name: &str,
    options: &RedisOptions,
) -> Result<ToRedis, OpenError> {
    let client = client(&options.url)?;
    let runtime = RUNTIME
        .as_ref()
        .map_err(|error| OpenError::Redis(error.clone()))?;
    let stream = Stream {
        channel: Arc::clone(channel),
        client,
        key: format!("wapix:channel:{name}"),
    };
    let (to_redis, publishings) = unbounded_channel();
    runtime.spawn(stream.clone().read());
    runtime.spawn(stream.write(publishings, options.queue));
    Ok(to_redis)
}

#[derive(Clone)]
struct Stream {
    channel: Arc<Channel>,
    client: Client,
    key: String,
}

/// How many entries of a stream there have ever been (`None` before Redis 7), and how many there are.
struct Counts {
    added: Option<usize>,
    kept: Option<usize>,
}

/// How long to wait before the next try.
struct BackOff(Duration);

impl BackOff {
    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (2 * wait).min(LONGEST_WAIT);
        wait
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self(FIRST_WAIT)
    }
}

impl Stream {
    async fn connect(&self, answer_within: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(answer_within));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Reads for ever.
    async fn read(self) {
        let mut back_off = BackOff::default();
        let mut is_told = false;
        loop {
            let Err(error) = self.read_on(&mut back_off, &mut is_told).await;
            if !std::mem::replace(&mut is_told, true) {
                let key = &self.key;
                eprintln!("wapix: Redis cannot be read ({key}), trying again: {error}");
            }
            sleep(back_off.next()).await;
        }
    }

    /// Reads until Redis is not there any more.
    async fn read_on(
        &self,
        back_off: &mut BackOff,
        is_told: &mut bool,
    ) -> Result<Infallible, redis::RedisError> {
        let answer_within = ANSWER_WITHIN + Duration::from_millis(BLOCK.into());
        let mut connection = self.connect(answer_within).await?;
        self.catch_up(&mut connection).await?;
        if std::mem::take(is_told) {
            eprintln!("wapix: Redis can be read again ({})", self.key);
        }
        let mut read = self.channel.latest_id();
        loop {
            *back_off = BackOff::default();
            let ahead = self.channel.ahead();
            let entries: Option<StreamReadReply> = cmd("XREAD")
                .arg("BLOCK")
                .arg(BLOCK)
                .arg("COUNT")
                .arg(AT_A_TIME)
                .arg("STREAMS")
                .arg(&self.key)
                .arg(&read)
                .query_async(&mut connection)
                .await?;
            let keys = entries.map_or_else(Vec::new, |entries| entries.keys);
            let entries: Vec<_> = keys.iter().flat_map(|key| &key.ids).collect();
            let may_be_more = entries.len() == AT_A_TIME;
            if may_be_more {
                // Some may have been trimmed before it came to them.
                self.catch_up(&mut connection).await?;
            }
            for entry in entries {
                self.received(entry);
                // Whether it is an event or somebody else's.
                read.clone_from(&entry.id);
            }
            if let Some(ahead) = ahead.filter(|_| !may_be_more) {
                self.channel.settle_ahead(ahead);
            }
        }
    }

    /// Reads the history, at first and where the stream does not go on from what was read.
    async fn catch_up(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let latest = self.channel.latest_id();
        let is_known = self.channel.is_loaded();
        if is_known && self.goes_on_after(connection, &latest).await? {
            return Ok(());
        }
        let newest: StreamRangeReply = cmd("XREVRANGE")
            .arg(&self.key)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(self.channel.options.history_events.max(1))
            .query_async(connection)
            .await?;
        let is_whole = match newest.ids.last() {
            None => true,
            // Nothing was ever trimmed, and all of it is here.
            Some(_) => self.counts(connection).await?.added == Some(newest.ids.len()),
        };
        let entries: Vec<_> = newest.ids.iter().rev().filter_map(Entry::of).collect();
        let sent = entries.iter().filter_map(Entry::sent_here).max();
        let events = entries
            .into_iter()
            .map(|entry| (entry.id, entry.lines, entry.topic));
        self.channel.load(events, is_whole, sent);
        Ok(())
    }

    /// Whether the stream has everything after the entry of that id, or after its beginning.
    async fn goes_on_after(
        &self,
        connection: &mut MultiplexedConnection,
        id: &str,
    ) -> RedisResult<bool> {
        if id == BEGINNING {
            let length: usize = cmd("XLEN").arg(&self.key).query_async(connection).await?;
            if length == 0 {
                return Ok(true);
            }
            let Counts { added, kept } = self.counts(connection).await?;
            return Ok(added == kept);
        }
        let range = cmd("XRANGE").arg(&self.key).arg(id).arg(id).clone();
        let found: StreamRangeReply = range.query_async(connection).await?;
        Ok(!found.ids.is_empty())
    }

    /// Of a stream that there is.
    async fn counts(&self, connection: &mut MultiplexedConnection) -> RedisResult<Counts> {
        let info: HashMap<String, Value> = cmd("XINFO")
            .arg("STREAM")
            .arg(&self.key)
            .query_async(connection)
            .await?;
        let count = |name| match info.get(name) {
            Some(Value::Int(count)) => usize::try_from(*count).ok(),
            _ => None,
        };
        Ok(Counts {
            added: count("entries-added"),
            kept: count("length"),
        })
    }

    fn received(&self, entry: &StreamId) {
        if let Some(entry) = Entry::of(entry) {
            let sent = entry.sent_here();
            self.channel
                .receive(&entry.id, &entry.lines, entry.topic.as_deref(), sent);
        }
    }

    /// Writes what is published, for ever: `most` of it may wait.
    async fn write(self, mut publishings: UnboundedReceiver<Publishing>, most: usize) {
        let mut waiting = VecDeque::new();
        let mut connection = None;
        let mut back_off = BackOff::default();
        let mut failure: Option<(Instant, String)> = None;
        loop {
            let retry = failure.as_ref().map(|(retry, _)| *retry);
            tokio::select! {
                publishing = publishings.recv() => match publishing {
                    Some(publishing) => waiting.push_back(publishing),
                    None => return,
                },
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if !waiting.is_empty() => {}
            }
            while let Ok(publishing) = publishings.try_recv() {
                waiting.push_back(publishing);
            }
            if let Some((_, why)) = failure
                .as_ref()
                .filter(|(retry, _)| *retry > Instant::now())
            {
                self.send_here(&mut waiting, most, why);
                continue;
            }
            while !waiting.is_empty() {
                let additions = self.additions(&waiting);
                match self.append(&mut connection, &additions).await {
                    Ok(ids) => {
                        failure = None;
                        back_off = BackOff::default();
                        for (publishing, id) in waiting.drain(..ids.len()).zip(ids) {
                            if let Some(sent) = publishing.sent {
                                self.channel.taken(sent, &id);
                            }
                            (publishing.done)(Ok(id));
                        }
                    }
                    Err(error) => {
                        connection = None;
                        let why = error.to_string();
                        self.send_here(&mut waiting, most, &why);
                        failure = Some((Instant::now() + back_off.next(), why));
                        break;
                    }
                }
            }
        }
    }

    /// Redis is not there: sends what waits to the subscribers of this process, and keeps as much as may wait.
    fn send_here(&self, waiting: &mut VecDeque<Publishing>, most: usize, why: &str) {
        for (place, publishing) in waiting.iter_mut().enumerate() {
            if publishing.sent.is_none() {
                let Publishing { fields, topic, .. } = publishing;
                let sent = self
                    .channel
                    .send_here(fields, topic.as_deref(), place < most);
                publishing.sent = Some(sent);
            }
        }
        for refused in waiting.drain(most.min(waiting.len())..) {
            (refused.done)(Err(why.to_owned()));
        }
    }

    /// What appends the first of what waits to the stream.
    fn additions(&self, waiting: &VecDeque<Publishing>) -> Pipeline {
        let most = self.channel.options.history_events.max(LEAST_ENTRIES);
        let mut pipeline = Pipeline::new();
        // All or none: where Redis took some of them, it would not be known which.
        pipeline.atomic();
        for publishing in waiting.iter().take(AT_A_TIME) {
            let add = pipeline.cmd("XADD").arg(&self.key);
            add.arg("MAXLEN").arg("~").arg(most).arg("*");
            add.arg(LINES).arg(&publishing.fields);
            if let Some(topic) = &publishing.topic {
                add.arg(TOPIC).arg(topic);
            }
            if let Some(sent) = publishing.sent {
                add.arg(SENT_BY).arg(sent_by(sent));
            }
        }
        pipeline
    }

    /// The ids that Redis gave.
    async fn append(
        &self,
        connection: &mut Option<MultiplexedConnection>,
        additions: &Pipeline,
    ) -> RedisResult<Vec<String>> {
        let connection = match connection {
            Some(connection) => connection,
            none => none.insert(self.connect(ANSWER_WITHIN).await?),
        };
        additions.query_async(connection).await
    }
}
