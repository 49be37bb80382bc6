//! The subscribers of one server, and who writes events to them: its I/O side.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use slab::Slab;
use tokio::{sync::Notify, task::yield_now, time::Instant};

use super::{
    Channel, Slow, Topics,
    backlog::Backlog,
    event::{self, Event},
    round::{Batch, Batches, JOIN_UP_TO, Round},
};
use crate::body::{BodySender, Offered, Passage, SharedChunk};

/// How many subscribers are written to before other tasks of the I/O side have their turn: about a
/// millisecond.
const TURN: usize = 128;
/// As many bytes as those are given of small events: fewer subscribers are written to where events are large.
const TURN_BYTES: usize = TURN * JOIN_UP_TO;

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
            while !self.is_closing()
                && let Some(group) = self.next_fed()
            {
                if group.write_turn() {
                    lock(&self.groups).fed.push_back(group);
                }
                // After the last, too: a queue that is full is the client's doing, and not that nobody else
                // had a turn.
                yield_now().await;
            }
            if let Some(part) = self.closing.get().copied() {
                let all = lock(&self.groups).all.clone();
                for group in all {
                    group.finish().await;
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
    waiting: Mutex<Waiting>,
    /// The I/O side's, which nobody else locks.
    round: Mutex<Round>,
    subscribers: Mutex<Slab<Subscriber>>,
}

struct Waiting {
    backlog: Backlog,
    /// The hub knows of the group.
    is_fed: bool,
}

/// A response that events are written to.
pub(super) struct Subscriber {
    outlet: Outlet,
    wants: Wants,
    /// How many of its group's events it was given, or came too late for.
    seen: u64,
}

struct Outlet {
    sender: BodySender,
    /// The way to the socket, once nothing else writes there.
    passage: Option<Arc<dyn Passage>>,
}

/// What a subscriber gets of all events.
struct Wants {
    /// The number of the first that it was not sent when it came.
    from: u128,
    topics: Topics,
}

impl Wants {
    fn all_of(&self, batch: &Batch<'_>) -> bool {
        self.topics.is_none() && self.from <= batch.first
    }

    fn of<'a>(&'a self, batch: &Batch<'a>) -> impl DoubleEndedIterator<Item = &'a Arc<Event>> {
        let is_wanted =
            |event: &&Arc<Event>| event.number >= self.from && event.is_of(&self.topics);
        batch.events.iter().filter(is_wanted)
    }
}

impl Subscriber {
    pub(super) fn new(sender: BodySender, from: u128, topics: Topics) -> Self {
        Self {
            outlet: Outlet {
                sender,
                passage: None,
            },
            wants: Wants { from, topics },
            seen: 0,
        }
    }

    /// The last event, and the end.
    pub(super) fn send_away(self, retry: Duration) {
        let Outlet { sender, .. } = self.outlet;
        sender.send(Bytes::from(event::reconnect(retry)));
        sender.end();
    }
}

impl Group {
    pub(super) fn new(channel: Arc<Channel>, hub: Arc<Hub>) -> Arc<Self> {
        let waiting = Waiting {
            backlog: Backlog::new(channel.options.queue),
            is_fed: false,
        };
        let group = Arc::new(Self {
            channel,
            hub,
            waiting: Mutex::new(waiting),
            round: Mutex::default(),
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

    /// Under the channel's lock, as [`Group::push`] is: what is published from now on it is given.
    pub(super) fn insert(&self, subscriber: Subscriber) -> usize {
        let seen = lock(&self.waiting).backlog.published();
        lock(&self.subscribers).insert(Subscriber { seen, ..subscriber })
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

    /// Has an event written to the subscribers. Whether there is room for more.
    pub(super) fn push(self: &Arc<Self>, event: Arc<Event>) -> bool {
        let (has_room, is_new) = {
            let mut waiting = lock(&self.waiting);
            let has_room = waiting.backlog.push(event);
            (has_room, !std::mem::replace(&mut waiting.is_fed, true))
        };
        if is_new {
            lock(&self.hub.groups).fed.push_back(Arc::clone(self));
            self.hub.ready.notify_one();
        }
        has_room
    }

    /// Has `restart` written to the subscribers, and nothing of what waits.
    pub(super) fn skip(&self, restart: Arc<Event>) {
        lock(&self.waiting).backlog.skip(restart);
    }

    /// Writes what there is to the next subscribers. Whether there is more to do.
    fn write_turn(&self) -> bool {
        let mut round = lock(&self.round);
        round.add(&mut lock(&self.waiting).backlog);
        {
            let mut subscribers = lock(&self.subscribers);
            let places = subscribers.capacity();
            let turn = round.turn(TURN, places);
            let mut end = turn.end;
            let now = Instant::now();
            let mut batches = round.batches();
            let mut bytes = 0;
            for index in turn {
                if let Some(subscriber) = subscribers.get_mut(index) {
                    bytes += self.write(&mut batches, subscriber, now);
                }
                if bytes >= TURN_BYTES {
                    end = index + 1;
                    break;
                }
            }
            drop(batches);
            round.advance(end, places);
        }
        let mut waiting = lock(&self.waiting);
        waiting.is_fed = !(round.is_over() && waiting.backlog.is_empty());
        waiting.is_fed
    }

    /// Writes what was published before this to all.
    async fn finish(&self) {
        let published = lock(&self.waiting).backlog.published();
        while lock(&self.round).given() < published {
            self.write_turn();
            yield_now().await;
        }
    }

    /// Gives a subscriber what it has not had. How many bytes that is.
    fn write(&self, batches: &mut Batches<'_>, subscriber: &mut Subscriber, now: Instant) -> usize {
        let mut bytes = 0;
        let Subscriber {
            outlet,
            wants,
            seen,
        } = subscriber;
        while let Some((batch, end)) = batches.after(*seen) {
            *seen = end;
            if let [event] = batch.events
                && let Some(number) = event.restarts_beyond
            {
                if wants.from > number {
                    bytes += event.chunk.len();
                    self.offer(outlet, &event.chunk, wants, batch, now);
                    wants.from = 1;
                }
                continue;
            }
            if wants.all_of(batch) {
                bytes += batch.joined.len();
                self.offer(outlet, &batch.joined, wants, batch, now);
                continue;
            }
            for event in wants.of(batch) {
                bytes += event.chunk.len();
                if !self.offer(outlet, &event.chunk, wants, batch, now) {
                    break;
                }
            }
        }
        bytes
    }

    /// Writes a chunk, of what is wanted of a batch. Whether more of that is to be written.
    fn offer(
        &self,
        outlet: &mut Outlet,
        chunk: &SharedChunk,
        wants: &Wants,
        batch: &Batch<'_>,
        now: Instant,
    ) -> bool {
        let Outlet { sender, passage } = outlet;
        if let Some(passage) = passage
            && sender.pass(&**passage, chunk, now)
        {
            return true;
        }
        let options = &self.channel.options;
        match (sender.offer(chunk, options.queue, now), options.slow) {
            (Offered::Taken, _) => {
                if passage.is_none() {
                    *passage = sender.passage();
                }
                return true;
            }
            (Offered::Over, _) => {}
            // It leaves when its connection has been closed.
            (Offered::Full, Slow::Disconnect) => sender.abort(),
            (Offered::Full, Slow::Latest) => {
                if let Some(newest) = wants.of(batch).rfind(|event| !event.is_notice) {
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

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::{
        body::{StreamBody, stream_body},
        channel::ChannelOptions,
    };

    #[test]
    fn a_turn_ends_after_so_many_subscribers_and_sooner_where_events_are_large() {
        for (length, written) in [(10, TURN), (TURN_BYTES / 4, 4), (2 * TURN_BYTES, 1)] {
            let channel = Arc::new(Channel::new(0, ChannelOptions::default()));
            let group = Group::new(channel, Arc::default());
            let mut bodies: Vec<StreamBody> = Vec::new();
            for _ in 0..2 * TURN {
                let (sender, body) = stream_body(None);
                group.insert(Subscriber::new(sender, 1, None));
                bodies.push(body);
            }
            let event = Event::new(1, "a-1", &"x".repeat(length), None);
            group.push(Arc::new(event));
            assert!(group.write_turn(), "others are next");
            let mut context = Context::from_waker(Waker::noop());
            let have = bodies
                .iter_mut()
                .map(|body| body.poll_chunk(&mut context).is_ready())
                .filter(|is_ready| *is_ready);
            assert_eq!(have.count(), written, "{length}");
            // A hub and its groups own each other: what does not leave is leaked.
            group.leave_hub();
        }
    }
}
