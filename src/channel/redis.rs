//! A channel of several processes: its events are the entries of a Redis stream, which each of them reads.
//!
//! An event gets its id from Redis, and comes to the subscribers of every process, the publisher's own, by
//! reading the stream: all see one order. While Redis cannot be reached, what is published here is sent to
//! the subscribers here without an id: where they come back with the last id, they miss nothing of the stream.

mod entry;
mod in_flight;
mod portion;
mod reading;
mod writing;

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, RedisError, RedisResult, ServerError, aio::MultiplexedConnection,
};
use tokio::{
    runtime::{self, Handle},
    sync::mpsc::{UnboundedSender, unbounded_channel},
};

use self::{
    entry::Place,
    in_flight::{InFlight, Permit, TOO_MUCH},
};
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
struct Publishing {
    fields: String,
    topic: Option<String>,
    done: Published,
    /// Its number among those that the subscribers of this process were sent without an id, where it is one.
    sent: Option<u64>,
    _permit: Permit,
}

/// Where events are published to.
pub(super) struct ToRedis {
    publishings: UnboundedSender<Publishing>,
    in_flight: Arc<InFlight>,
}

impl ToRedis {
    /// Has Redis have an event of `channel`. Where too many are on their way already, its subscribers of this
    /// process are sent it, as where Redis cannot be reached.
    pub(super) fn publish(
        &self,
        channel: &Channel,
        fields: String,
        topic: Option<String>,
        done: Published,
    ) {
        let bytes = fields.len() + topic.as_ref().map_or(0, String::len);
        let Some(permit) = self.in_flight.enter(bytes) else {
            let sent = channel.send_here(&fields, topic.as_deref());
            channel.refuse(sent);
            return done(Err(TOO_MUCH.to_owned()));
        };
        // Taken for as long as the process runs.
        let _ = self.publishings.send(Publishing {
            fields,
            topic,
            done,
            sent: None,
            _permit: permit,
        });
    }
}

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long it is waited before it is tried again; twice as long each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

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
        written: Arc::default(),
    };
    let (sender, publishings) = unbounded_channel();
    runtime.spawn(stream.clone().read());
    runtime.spawn(stream.write(publishings, options.queue));
    Ok(ToRedis {
        publishings: sender,
        in_flight: InFlight::new(options.queue),
    })
}

#[derive(Clone)]
struct Stream {
    channel: Arc<Channel>,
    client: Client,
    key: String,
    /// Where in the stream the last event is that was written to it.
    written: Arc<Mutex<Place>>,
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

    fn written(&self) -> MutexGuard<'_, Place> {
        // No code that can panic runs under this lock.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What went wrong, as Redis says it: of many commands, of the first that it refused.
fn reason(error: &RedisError) -> String {
    let refused = error.clone().into_server_errors();
    match refused.as_deref() {
        Some([(_, first), ..]) => in_words_of_redis(first),
        _ => error.to_string(),
    }
}

fn in_words_of_redis(error: &ServerError) -> String {
    format!("{} {}", error.code(), error.details().unwrap_or_default())
}
