//! Channels: one event to many subscribers, each a response in progress.
//!
//! A channel is known by its name in the whole process: whatever server or thread publishes or
//! subscribes. What is published is encoded once, kept in the `history`, and handed to the `hub` of
//! every server that has subscribers; that one's I/O side writes it to each of them.

mod backlog;
mod event;
mod history;
mod hub;
mod options;
mod redis;
mod registry;
mod replay;
mod round;
mod waiting;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

pub(crate) use self::hub::Hub;
use self::{
    event::{Event, FOR_ALL},
    history::{History, Ids},
    hub::{Group, Subscriber},
    redis::ToRedis,
    waiting::Waiting,
};
pub use self::{
    options::{ChannelOptions, Slow},
    redis::{Published, RedisOptions},
    registry::OpenError,
};
use crate::body::BodySender;

/// Where a subscriber asks for some topics only.
pub(crate) type Topics = Option<HashSet<Box<str>>>;

/// At most so many clients a second come back after a shutdown.
const RETURN_PER_SECOND: u128 = 1000;

/// A channel.
pub struct Channel {
    number: u32,
    options: ChannelOptions,
    state: Mutex<State>,
    size: AtomicUsize,
    /// How many clients were told when to come back.
    told: AtomicU32,
    /// Where there is a backplane.
    to_redis: OnceLock<ToRedis>,
}

struct State {
    history: History,
    /// What Redis has is known, where there is a backplane.
    is_loaded: bool,
    /// How many events the subscribers here were sent before Redis had them.
    sent_here: u64,
    /// Those of them that wait for Redis.
    waiting: Waiting,
    ahead: Ahead,
    /// One for each server that has subscribers.
    groups: Vec<Arc<Group>>,
}

/// The greatest numbers of events that there were, as was said, and that have not been read here: either they
/// will be, or Redis has lost them.
#[derive(Clone, Copy, Default)]
struct Ahead {
    /// By a client, who may name any.
    named: Option<u128>,
    /// By Redis, of those that were sent here before it had them.
    taken: Option<u128>,
}

/// A subscriber's place in its channel; dropped, it leaves.
pub(crate) struct Subscription {
    group: Arc<Group>,
    index: usize,
}

impl Channel {
    fn new(number: u32, options: ChannelOptions) -> Self {
        let is_own = options.redis.is_none();
        let ids = if is_own { Ids::own() } else { Ids::Stream };
        let history = History::new(ids, options.history_events, options.history_bytes);
        Self {
            number,
            options,
            state: Mutex::new(State {
                history,
                is_loaded: is_own,
                sent_here: 0,
                waiting: Waiting::default(),
                ahead: Ahead::default(),
                groups: Vec::new(),
            }),
            size: AtomicUsize::new(0),
            told: AtomicU32::new(0),
            to_redis: OnceLock::new(),
        }
    }

    /// What [`Channel::by_number`] finds it with.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many subscribers there are.
    pub fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Sends an event to every subscriber, or to those of its topic and those of all topics. `fields` are
    /// the lines of an event, each with its end, but for `id`. Returns the id that the event was given.
    /// From any thread; who writes it to the subscribers is woken.
    pub fn publish(&self, fields: &str, topic: Option<&str>) -> String {
        let mut state = self.lock();
        let event = state.history.push(fields, topic);
        state.push(&event);
        state.history.id(event.number)
    }

    /// Whether it is one of several processes.
    pub fn is_shared(&self) -> bool {
        self.options.redis.is_some()
    }

    /// Has Redis have an event, and with it every process. `done` is called once: on another thread, or at once
    /// where more is on its way to Redis than may be.
    pub fn publish_shared(&self, fields: String, topic: Option<String>, done: Published) {
        match self.to_redis.get() {
            Some(to_redis) => to_redis.publish(self, fields, topic, done),
            None => done(Ok(self.publish(&fields, topic.as_deref()))),
        }
    }

    fn is_loaded(&self) -> bool {
        self.lock().is_loaded
    }

    /// What Redis has: (id, lines, topic) of each event, and up to which it has what it was sent here.
    /// Subscribers are told where they may have missed some.
    fn load(
        &self,
        events: impl Iterator<Item = (String, String, Option<String>)>,
        is_whole: bool,
        sent: Option<u64>,
    ) {
        let mut state = self.lock();
        state.waiting.read_sent(sent);
        let was_loaded = std::mem::replace(&mut state.is_loaded, true);
        state.history.restart(is_whole);
        for (id, fields, topic) in events {
            state.history.add(&id, &fields, topic.as_deref());
        }
        let latest = state.history.latest();
        state.waiting.read(latest);
        let id = state.history.id(latest);
        // Who came before it was known what there is may have missed some of it.
        let event = if was_loaded || latest > 0 {
            Event::restart(0, &id)
        } else {
            Event::notice(FOR_ALL, &event::position(&id))
        };
        state.push(&Arc::new(event));
    }

    fn ahead(&self) -> Ahead {
        self.lock().ahead
    }

    /// All that Redis had when that was said has been read: who still waits for what comes after it has an id of
    /// what Redis has lost.
    fn settle(&self, ahead: Ahead) {
        let mut state = self.lock();
        let latest = state.history.latest();
        if Some(latest) < ahead.named.max(ahead.taken) {
            let event = Event::restart(latest + 1, &state.history.id(latest));
            state.push(&Arc::new(event));
        }
        if let Some(taken) = ahead.taken {
            state.waiting.read(taken);
        }
        state.ahead.forget(ahead);
    }

    /// An event that Redis has. Where it was `sent` here the subscribers have it, but not its id.
    fn receive(&self, id: &str, fields: &str, topic: Option<&str>, sent: Option<u64>) {
        let mut state = self.lock();
        state.waiting.read_sent(sent);
        let Some(event) = state.history.add(id, fields, topic) else {
            return;
        };
        if sent.is_some() {
            let notice = Event::notice(event.number, &event::position(id));
            state.push(&Arc::new(notice));
        } else {
            state.push(&event);
        }
        state.waiting.read(event.number);
    }

    /// Redis has the event that was sent here as the one of that number: with this id.
    fn taken(&self, sent: u64, id: &str) {
        let mut state = self.lock();
        let number = state.history.number(id);
        if state.waiting.take(sent, number) {
            // It may never be read: the stream is trimmed, or lost.
            state.ahead.taken = state.ahead.taken.max(number);
        }
    }

    /// An event that Redis does not have, and waits for it. Returns its number among these.
    fn send_here(&self, fields: &str, topic: Option<&str>) -> u64 {
        let event = Arc::new(Event::without_id(fields, topic));
        let mut state = self.lock();
        state.push(&event);
        state.sent_here += 1;
        let number = state.sent_here;
        state.waiting.push(number, event);
        number
    }

    /// An event that was sent here waits for Redis no more.
    fn refuse(&self, sent: u64) {
        self.lock().waiting.remove(sent);
    }

    /// Makes a subscriber of the response that `sender` is of, which is sent what came after
    /// `last_event_id` (empty for a new client). `None` where it was sent away: its server closes.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        sender: BodySender,
        last_event_id: &str,
        topics: Topics,
    ) -> Option<Subscription> {
        sender.subscribe();
        if let Some(heartbeat) = self.options.heartbeat {
            sender.set_heartbeat(heartbeat);
        }
        sender.send(Bytes::from(event::retry(self.spread_retry())));
        // Under the lock: what is published now is either in the history or sent by the group.
        let (mut state, last) = self.catch_up(&sender, last_event_id, &topics);
        // What it missed is not known yet: it comes back, and gets it.
        let is_too_early = !state.is_loaded && !last_event_id.is_empty();
        let is_ahead = last > state.history.latest();
        let subscriber = Subscriber::new(sender, last.saturating_add(1), topics);
        if is_too_early || hub.is_closing() {
            drop(state);
            let retry = self.spread_retry();
            subscriber.send_away(retry);
            return None;
        }
        if is_ahead {
            state.ahead.named = state.ahead.named.max(Some(last));
        }
        let found = state.groups.iter().find(|group| group.is_of(hub));
        let group = found.map(Arc::clone).unwrap_or_else(|| {
            let group = Group::new(Arc::clone(self), Arc::clone(hub));
            state.groups.push(Arc::clone(&group));
            group
        });
        let index = group.insert(subscriber);
        self.size.fetch_add(1, Ordering::Relaxed);
        Some(Subscription { group, index })
    }

    /// When a client is to come back should its connection break: not all at once. Multiples of the golden
    /// ratio lie apart from each other, however many there are.
    fn spread_retry(&self) -> Duration {
        const GOLDEN: u32 = 0x9e37_79b9;
        let place = self.told.fetch_add(1, Ordering::Relaxed);
        let part = f64::from(place.wrapping_mul(GOLDEN)) / f64::from(u32::MAX);
        self.options.retry + self.options.retry.mul_f64(part)
    }

    /// When the client at `place` of so many is to come back after a shutdown.
    fn retry_after_shutdown(&self, place: usize, of: usize) -> Duration {
        let retry = self.options.retry;
        let spread = retry.as_millis().max(of as u128 * 1000 / RETURN_PER_SECOND);
        let part = spread * place as u128 / of.max(1) as u128;
        retry + Duration::from_millis(u64::try_from(part).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ahead {
    /// Those of `settled` that nothing greater has been said of since.
    fn forget(&mut self, settled: Self) {
        self.named = self.named.filter(|named| Some(*named) > settled.named);
        self.taken = self.taken.filter(|taken| Some(*taken) > settled.taken);
    }
}

impl State {
    /// Under the lock: every group gets the events in the same order.
    fn push(&self, event: &Arc<Event>) {
        for group in &self.groups {
            if !group.push(Arc::clone(event)) {
                let latest = self.history.id(self.history.latest());
                group.skip(Arc::new(Event::restart(0, &latest)));
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let channel = self.group.channel();
        let mut state = channel.lock();
        if self.group.remove(self.index) {
            channel.size.fetch_sub(1, Ordering::Relaxed);
        }
        if self.group.is_empty() {
            state
                .groups
                .retain(|group| !Arc::ptr_eq(group, &self.group));
            self.group.leave_hub();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_took_while_it_was_read_waits_to_be_read_whatever_number_a_client_names() {
        let redis = RedisOptions {
            url: String::new(),
            queue: 1,
        };
        let options = ChannelOptions {
            redis: Some(redis),
            ..ChannelOptions::default()
        };
        let channel = Channel::new(0, options);
        channel.load(std::iter::empty(), true, None);
        channel.lock().ahead.named = Some(u128::MAX);
        let before = channel.ahead();
        let sent = channel.send_here("data: 1\n", None);
        channel.taken(sent, "5-0");
        channel.settle(before);
        assert_eq!(channel.lock().waiting.iter().count(), 1);
        // Redis has lost it.
        channel.settle(channel.ahead());
        assert_eq!(channel.lock().waiting.iter().count(), 0);
        assert!(channel.ahead().named.max(channel.ahead().taken).is_none());
    }
}
