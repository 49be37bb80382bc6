//! The subscribers of one server, and who writes events to them: its I/O side.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use slab::Slab;
use tokio::{sync::Notify, task::yield_now, time::Instant};

use super::{Channel, Slow, Topics, event, event::Event};
use crate::body::{BodySender, Offered, SharedChunk};

/// How many subscribers are written to before other tasks of the I/O side have their turn.
const TURN: usize = 128;
/// Events that have come in the meantime are written as one up to this size, in bytes.
const JOIN_UP_TO: usize = 16 * 1024;

/// The groups of one server.
#[derive(Default)]
pub(crate) struct Hub {
    ready: Notify,
    groups: Mutex<Groups>,
    closing: OnceLock<Part>,
}

/// Which of a server's hubs this is, and of how many.
#[derive(Clone, Copy)]
struct Part {
    index: usize,
    of: usize,
}

#[derive(Default)]
struct Groups {
    all: Vec<Arc<Group>>,
    /// Those that events wait for.
    fed: VecDeque<Arc<Group>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs under these locks. They are taken in this order: a channel's, a
    // group's, a hub's, a response's.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// The I/O side: writes what is published, for ever.
    pub(crate) async fn run(&self) {
        loop {
            self.ready.notified().await;
            // Asked first: what was published before the closing is sent before the farewell.
            let closing = self.closing.get().copied();
            while let Some(group) = self.next_fed() {
                group.fan_out().await;
            }
            if let Some(part) = closing {
                let all = lock(&self.groups).all.clone();
                for group in all {
                    group.send_away(part);
                }
            }
        }
    }

    fn next_fed(&self) -> Option<Arc<Group>> {
        lock(&self.groups).fed.pop_front()
    }

    /// Sends all subscribers away, and those who come: the server closes, whose hubs are so many, this one
    /// the one at `index`.
    pub(crate) fn close(&self, index: usize, of: usize) {
        // A second time changes nothing.
        let _ = self.closing.set(Part { index, of });
        self.ready.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get().is_some()
    }
}

/// The subscribers that a channel has at one server.
pub(super) struct Group {
    channel: Arc<Channel>,
    hub: Arc<Hub>,
    /// Events that have not been written to the subscribers.
    waiting: Mutex<Vec<Arc<Event>>>,
    subscribers: Mutex<Slab<Subscriber>>,
}

/// A response that events are written to.
pub(super) struct Subscriber {
    pub(super) sender: BodySender,
    /// The number of the first event that it was not sent when it came.
    pub(super) from: u128,
    pub(super) topics: Topics,
}

impl Subscriber {
    /// The last event, and the end.
    pub(super) fn send_away(self, retry: Duration) {
        self.sender.send(Bytes::from(event::reconnect(retry)));
        self.sender.end();
    }
}

impl Group {
    pub(super) fn new(channel: Arc<Channel>, hub: Arc<Hub>) -> Arc<Self> {
        let group = Arc::new(Self {
            channel,
            hub,
            waiting: Mutex::default(),
            subscribers: Mutex::default(),
        });
        lock(&group.hub.groups).all.push(Arc::clone(&group));
        group
    }

    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    pub(super) fn is_of(&self, hub: &Arc<Hub>) -> bool {
        Arc::ptr_eq(&self.hub, hub)
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.subscribers).is_empty()
    }

    pub(super) fn insert(&self, subscriber: Subscriber) -> usize {
        lock(&self.subscribers).insert(subscriber)
    }

    /// Whether it was still there.
    pub(super) fn remove(&self, index: usize) -> bool {
        // Dropped outside the lock.
        let removed = lock(&self.subscribers).try_remove(index);
        removed.is_some()
    }

    pub(super) fn leave_hub(&self) {
        let is_other = |group: &Arc<Self>| !std::ptr::eq(&raw const **group, self);
        let mut groups = lock(&self.hub.groups);
        groups.all.retain(is_other);
        groups.fed.retain(is_other);
    }

    /// Has an event written to the subscribers.
    pub(super) fn push(self: &Arc<Self>, event: Arc<Event>) {
        let is_first = {
            let mut waiting = lock(&self.waiting);
            waiting.push(event);
            waiting.len() == 1
        };
        if is_first {
            lock(&self.hub.groups).fed.push_back(Arc::clone(self));
            self.hub.ready.notify_one();
        }
    }

    /// Writes what waits to the subscribers. Who comes meanwhile has been sent it already.
    async fn fan_out(&self) {
        let events = std::mem::take(&mut *lock(&self.waiting));
        let mut rest = &events[..];
        while !rest.is_empty() {
            let (batch, others) = Batch::first_of(rest);
            self.write_to_all(&batch).await;
            rest = others;
        }
    }

    async fn write_to_all(&self, batch: &Batch<'_>) {
        let mut at = 0;
        loop {
            let is_last = {
                let subscribers = lock(&self.subscribers);
                let now = Instant::now();
                let end = subscribers.capacity().min(at + TURN);
                for index in at..end {
                    if let Some(subscriber) = subscribers.get(index) {
                        self.write(batch, subscriber, now);
                    }
                }
                at = end;
                end == subscribers.capacity()
            };
            // After the last, too: a queue that is full is the client's doing, and not that nobody else had
            // a turn.
            yield_now().await;
            if is_last {
                return;
            }
        }
    }

    fn write(&self, batch: &Batch<'_>, subscriber: &Subscriber, now: Instant) {
        if subscriber.topics.is_none() && subscriber.from <= batch.first {
            self.offer(&batch.joined, batch, subscriber, now);
            return;
        }
        for event in batch.of(subscriber) {
            if !self.offer(&event.chunk, batch, subscriber, now) {
                return;
            }
        }
    }

    /// Whether more of the batch is wanted.
    fn offer(
        &self,
        chunk: &SharedChunk,
        batch: &Batch<'_>,
        subscriber: &Subscriber,
        now: Instant,
    ) -> bool {
        let Subscriber { sender, .. } = subscriber;
        let options = &self.channel.options;
        match (sender.offer(chunk, options.queue, now), options.slow) {
            (Offered::Taken, _) => return true,
            (Offered::Over, _) => {}
            // It leaves when its connection has been closed.
            (Offered::Full, Slow::Disconnect) => sender.abort(),
            (Offered::Full, Slow::Latest) => {
                if let Some(newest) = batch.of(subscriber).next_back() {
                    sender.replace(&newest.chunk);
                }
            }
        }
        false
    }

    /// Sends the subscribers away, to come back one after the other, those of the other hubs in between.
    fn send_away(&self, Part { index, of }: Part) {
        let subscribers = std::mem::take(&mut *lock(&self.subscribers));
        let count = subscribers.len();
        self.channel.size.fetch_sub(count, Ordering::Relaxed);
        for (place, (_, subscriber)) in subscribers.into_iter().enumerate() {
            subscriber.send_away(
                self.channel
                    .retry_after_shutdown(place * of + index, count * of),
            );
        }
    }
}

/// Events that are written to many subscribers.
struct Batch<'a> {
    /// At least one.
    events: &'a [Arc<Event>],
    /// The least of their numbers.
    first: u128,
    /// The same as one chunk.
    joined: SharedChunk,
}

impl<'a> Batch<'a> {
    /// As many of `events`, of which there are some, as are good in one chunk, and the others.
    fn first_of(events: &'a [Arc<Event>]) -> (Self, &'a [Arc<Event>]) {
        let mut length = 0;
        let fits = |event: &&Arc<Event>| {
            length += event.chunk.len();
            length <= JOIN_UP_TO
        };
        let count = events.iter().take_while(fits).count().max(1);
        let (events, others) = events.split_at(count);
        let joined = SharedChunk::joined(events.iter().map(|event| &event.chunk));
        let first = events.iter().map(|event| event.number).min().unwrap_or(0);
        let batch = Self {
            events,
            first,
            joined,
        };
        (batch, others)
    }

    /// What a subscriber gets of it.
    fn of(&self, subscriber: &Subscriber) -> impl DoubleEndedIterator<Item = &'a Arc<Event>> {
        let (from, topics) = (subscriber.from, &subscriber.topics);
        self.events
            .iter()
            .filter(move |event| event.number >= from && event.is_of(topics))
    }
}
