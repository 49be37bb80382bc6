//! Reads the stream of a channel, for ever.

use std::{collections::HashMap, convert::Infallible, io, time::Duration};

use redis::{
    RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
    cmd,
    streams::{StreamId, StreamRangeReply, StreamReadReply},
};
use tokio::time::sleep;

use super::{
    BackOff, Stream,
    entry::{Entry, Place, bytes_of, place_of},
    portion::Portion,
    reason,
};

/// How long one reading of the stream waits for an entry, in milliseconds: a network that was cut is noticed.
const BLOCK: u32 = 2000;

/// The id before the first.
const BEGINNING: &str = "0-0";

/// How many entries of a stream there have ever been (`None` before Redis 7), and how many there are.
struct Counts {
    added: Option<usize>,
    kept: Option<usize>,
}

/// How far reading has come, over all connections.
struct Progress {
    /// The last entry that was read, whether that was an event or somebody else's.
    read: String,
    portion: Portion,
    back_off: BackOff,
    /// That it fails was printed.
    is_told: bool,
}

impl Stream {
    pub(super) async fn read(self) {
        let mut progress = Progress {
            read: BEGINNING.to_owned(),
            portion: Portion::default(),
            back_off: BackOff::default(),
            is_told: false,
        };
        loop {
            let error = match self.connect(progress.portion.patience).await {
                Ok(connection) => {
                    let Err(error) = self.read_from(connection, &mut progress).await;
                    progress.portion.failed();
                    error
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut progress.is_told, true) {
                let (key, why) = (&self.key, reason(&error));
                eprintln!("wapix: Redis cannot be read ({key}), trying again: {why}");
            }
            sleep(progress.back_off.next()).await;
        }
    }

    /// Reads until Redis is not there any more.
    async fn read_from(
        &self,
        mut connection: MultiplexedConnection,
        progress: &mut Progress,
    ) -> Result<Infallible, RedisError> {
        self.catch_up(&mut connection, progress).await?;
        loop {
            let ahead = self.channel.ahead();
            let written = *self.written();
            connection.set_response_timeout(
                progress.portion.patience + Duration::from_millis(BLOCK.into()),
            );
            let entries: Option<StreamReadReply> = cmd("XREAD")
                .arg("BLOCK")
                .arg(BLOCK)
                .arg("COUNT")
                .arg(progress.portion.entries)
                .arg("STREAMS")
                .arg(&self.key)
                .arg(&progress.read)
                .query_async(&mut connection)
                .await?;
            progress.back_off = BackOff::default();
            if std::mem::take(&mut progress.is_told) {
                eprintln!("wapix: Redis can be read again ({})", self.key);
            }
            let keys = entries.map_or_else(Vec::new, |entries| entries.keys);
            let entries: Vec<_> = keys.iter().flat_map(|key| &key.ids).collect();
            if entries.is_empty() && Some(written) > place_of(&progress.read) {
                // Said once: it may have been deleted.
                *self.written() = Place::default();
                let why =
                    "what was written is not in it: it was deleted, or this is another server";
                return Err(io::Error::other(why).into());
            }
            let may_be_more = entries.len() == progress.portion.entries;
            progress.portion.came(
                entries.len(),
                entries.iter().map(|entry| bytes_of(entry)).sum(),
            );
            // Some may have been trimmed before it came to them.
            if may_be_more && self.catch_up(&mut connection, progress).await? {
                continue;
            }
            for entry in entries {
                self.received(entry);
                progress.read.clone_from(&entry.id);
            }
            if !may_be_more {
                self.channel.settle(ahead);
            }
        }
    }

    /// Reads the history, at first and where the stream does not go on after what was read; whether it did.
    async fn catch_up(
        &self,
        connection: &mut MultiplexedConnection,
        Progress { read, portion, .. }: &mut Progress,
    ) -> RedisResult<bool> {
        let is_known = self.channel.is_loaded();
        if is_known && self.goes_on_after(connection, read).await? {
            return Ok(false);
        }
        let options = &self.channel.options;
        // One more than is kept: nothing was between that and the others.
        let most = options.history_events.saturating_add(1);
        let (mut count, mut bytes) = (0, 0);
        let mut newest = Vec::new();
        let mut last = None;
        let mut end = "+".to_owned();
        while count < most && bytes <= options.history_bytes {
            let asked = portion.entries.min(most - count);
            let page: StreamRangeReply = cmd("XREVRANGE")
                .arg(&self.key)
                .arg(&end)
                .arg("-")
                .arg("COUNT")
                .arg(asked)
                .query_async(connection)
                .await?;
            let page_bytes = page.ids.iter().map(bytes_of).sum();
            portion.came(page.ids.len(), page_bytes);
            count += page.ids.len();
            bytes += page_bytes;
            last = last.or_else(|| page.ids.first().map(|entry| entry.id.clone()));
            newest.extend(page.ids.iter().filter_map(Entry::of));
            match page.ids.last() {
                Some(oldest) if page.ids.len() == asked => end = format!("({}", oldest.id),
                _ => break,
            }
        }
        // Nothing was ever trimmed, and all of it is here.
        let is_whole = count == 0 || self.counts(connection).await?.added == Some(count);
        let sent = newest.iter().filter_map(Entry::sent_here).max();
        let events = newest
            .into_iter()
            .rev()
            .map(|entry| (entry.id, entry.lines, entry.topic));
        self.channel.load(events, is_whole, sent);
        *read = last.unwrap_or_else(|| BEGINNING.to_owned());
        Ok(true)
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
}
