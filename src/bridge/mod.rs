//! The handler that JavaScript answers: requests go out and answers come in, both in batches.
//!
//! The I/O side queues requests and events; JavaScript is woken when the queue was empty, and takes
//! batch after batch. JavaScript's answers are queued the same way, until the I/O side delivers them.
//! Nothing here knows Node: a transport has JavaScript called.

mod body;
mod kept;
mod protocol;
mod replies;
mod requests;
mod slots;

use std::{
    fs::File,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::sync::{Notify, mpsc::unbounded_channel};

pub use self::requests::Taken;
use self::{
    replies::{Content, Record, Replies, Subscribe},
    requests::RequestQueue,
    slots::{Key, Progress, Slots},
};
use crate::{
    body::{Direct, FileSource},
    channel::{Channel, Hub},
    exchange::{Exchange, Head, Observer, Response},
    handler::{Handler, Request, RequestBody},
    pool, task,
};

/// Has JavaScript take what waits: not before other tasks of the I/O side have had their turn, so that what
/// they queue crosses in the same batch. Must not block.
pub type WakeJavaScript = Box<dyn Fn() + Send + Sync>;

/// Both queues between one I/O thread and JavaScript, and the requests in flight.
pub struct Bridge {
    outgoing: Mutex<Outgoing>,
    incoming: Mutex<Incoming>,
    incoming_ready: Notify,
    slots: Mutex<Slots>,
    hub: Arc<Hub>,
    wake_javascript: WakeJavaScript,
}

#[derive(Default)]
struct Outgoing {
    queue: RequestQueue,
    /// JavaScript was woken and has not found the queue empty since.
    woken: bool,
}

#[derive(Default)]
struct Incoming {
    replies: Replies,
    /// Memory for the next ones, while these are delivered.
    spare: Replies,
    /// The I/O side was woken and has not taken the replies since.
    woken: bool,
    /// The last answer was all that was waited for.
    was_alone: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under one of these locks leaves whole records behind; going on is safe.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bridge {
    /// A bridge that calls `wake_javascript` when there is something to take.
    pub fn new(wake_javascript: WakeJavaScript) -> Arc<Self> {
        Arc::new(Self {
            outgoing: Mutex::default(),
            incoming: Mutex::default(),
            incoming_ready: Notify::new(),
            slots: Mutex::default(),
            hub: Arc::default(),
            wake_javascript,
        })
    }

    fn queue(&self, push: impl FnOnce(&mut RequestQueue)) {
        let wake = {
            let mut outgoing = lock(&self.outgoing);
            push(&mut outgoing.queue);
            !std::mem::replace(&mut outgoing.woken, true)
        };
        if wake {
            (self.wake_javascript)();
        }
    }

    /// Tells JavaScript that the server has closed: the I/O side has ended.
    pub fn closed(&self) {
        self.queue(RequestQueue::push_closed);
    }

    /// JavaScript's side: takes the next batch, as `protocol` lays it out. After
    /// [`Taken::Empty`], or a batch without more, the next record wakes JavaScript again.
    pub fn take(&self, words: &mut [u32], bytes: &mut [u8], apart: &mut Vec<Bytes>) -> Taken {
        let (popped, more) = {
            let mut outgoing = lock(&self.outgoing);
            let popped = outgoing.queue.pop(words.len(), bytes.len());
            outgoing.woken = !outgoing.queue.is_empty();
            (popped, outgoing.woken)
        };
        // Copied outside the lock: the I/O thread goes on queueing.
        let mut batch = match popped {
            Ok(batch) => batch,
            Err(taken) => return taken,
        };
        let (words, text) = batch.write_to(words, bytes, apart);
        lock(&self.outgoing).queue.recycle(batch);
        Taken::Batch { words, text, more }
    }

    /// JavaScript's side: hands over answers, as `protocol` lays them out. The buffers are copied:
    /// JavaScript may write to them while another thread reads.
    pub fn answer<'a>(
        &self,
        words: &[u32],
        text: &[u8],
        bytes: &[u8],
        buffers: impl IntoIterator<Item = &'a [u8]>,
    ) {
        // Copied outside the lock: the I/O thread goes on delivering.
        let buffers: SmallVec<[Bytes; 2]> = buffers.into_iter().map(pool::copy).collect();
        lock(&self.incoming)
            .replies
            .append(words, text, bytes, buffers);
    }

    /// JavaScript's side: writes a large chunk of the streamed response of `slot` and `serial` to its
    /// socket, where nothing that was handed over before is on its way; `sent` is how many bytes of
    /// the response were. Otherwise the chunk has to be handed over itself.
    pub fn write(&self, slot: u32, serial: u32, chunk: &[u8], sent: u64) -> Direct {
        let writer = match lock(&self.slots).get(Key { slot, serial }) {
            Some(Progress::Streaming(sender)) => sender.direct(),
            _ => return Direct::Not,
        };
        // Outside the lock: the I/O thread goes on with other requests.
        writer.write(chunk, sent)
    }

    /// JavaScript's side: hands over a file, `length` bytes of it from `position` on, as the rest of
    /// the streamed response of `slot` and `serial`.
    pub fn answer_with_file(&self, slot: u32, serial: u32, file: File, position: u64, length: u64) {
        let file = FileSource::new(file, position, length);
        lock(&self.incoming)
            .replies
            .append_file(Key { slot, serial }, file);
    }

    /// JavaScript's side: delivers what was handed over where one answer is all that is waited for, as it was the
    /// time before: each alone would pay for the waking of another thread. Otherwise has `run` do it.
    pub fn deliver_or_wake(&self) {
        let is_alone = {
            let mut incoming = lock(&self.incoming);
            let is_alone = !incoming.woken && incoming.replies.is_one_response();
            std::mem::replace(&mut incoming.was_alone, is_alone) && is_alone
        };
        if is_alone && lock(&self.slots).is_one_waiting() {
            self.deliver();
        } else {
            self.wake();
        }
    }

    /// JavaScript's side: has `run` deliver what was handed over.
    pub fn wake(&self) {
        if !std::mem::replace(&mut lock(&self.incoming).woken, true) {
            self.incoming_ready.notify_one();
        }
    }

    /// The server is about to close, whose bridges are so many, this one the one at `index`: subscribers of
    /// channels are told to connect again, and end.
    pub fn send_subscribers_away(&self, index: usize, of: usize) {
        self.hub.close(index, of);
    }

    /// The I/O side: writes what channels publish, and delivers what `wake` tells of, for ever.
    pub async fn run(&self) {
        let deliver = async {
            loop {
                self.incoming_ready.notified().await;
                self.deliver();
            }
        };
        tokio::join!(deliver, self.hub.run());
    }

    /// Delivers what JavaScript has handed over. The I/O side's, but for [`Bridge::deliver_or_wake`].
    pub fn deliver(&self) {
        let mut replies = {
            let mut incoming = lock(&self.incoming);
            incoming.woken = false;
            let spare = std::mem::take(&mut incoming.spare);
            std::mem::replace(&mut incoming.replies, spare)
        };
        let mut chunks = Vec::new();
        let delivered = replies.decode(|record| {
            if let Record::Chunk(key, Content::Slice(chunk)) = record {
                chunks.push((key, chunk));
            } else {
                self.deliver_chunks(&mut chunks);
                self.deliver_one(record);
            }
        });
        self.deliver_chunks(&mut chunks);
        drop(chunks);
        if let Err(error) = delivered {
            // Not to be reached: both sides of the bridge are ours.
            eprintln!("wapix: {error}; this is a bug in wapix");
        }
        replies.clear();
        lock(&self.incoming).spare = replies;
    }

    /// Delivers small chunks: those of one response leave together, others do not wait for them.
    fn deliver_chunks(&self, chunks: &mut Vec<(Key, &[u8])>) {
        chunks.sort_by_key(|(key, _)| key.to_token());
        for chunks in chunks.chunk_by(|(one, _), (next, _)| one == next) {
            // Sending drops nothing but the chunk, and what it reports takes no lock of the slots.
            if let Some(Progress::Streaming(sender)) = lock(&self.slots).get(chunks[0].0) {
                sender.send_slices(chunks.iter().map(|(_, chunk)| *chunk));
            }
        }
        chunks.clear();
    }

    /// Delivers one record. A record of a request that is over goes nowhere.
    ///
    /// An exchange or a sender that is dropped tells its observer, which is this bridge: nothing
    /// is dropped under the lock of the slots.
    fn deliver_one(&self, record: Record<'_>) {
        match record {
            Record::Respond(key, (status, fields), content) => {
                let progress = lock(&self.slots).remove(key);
                let Some(Progress::Waiting(exchange)) = progress else {
                    return;
                };
                let response = Response {
                    status,
                    fields,
                    body: content.as_slice(),
                };
                if let Err(exchange) = exchange.respond_now(&response) {
                    let Response { status, fields, .. } = response;
                    exchange.respond(Response {
                        status,
                        fields,
                        body: content.into_bytes(),
                    });
                }
            }
            Record::Stream(key, (status, fields), awaits_content) => {
                let progress = lock(&self.slots).replace(key, Progress::Ended);
                if let Some(Progress::Waiting(exchange)) = progress {
                    let sender = exchange.stream(Head {
                        awaits_content,
                        ..Head::new(status, &fields)
                    });
                    let _placeholder = lock(&self.slots).replace(key, Progress::Streaming(sender));
                }
            }
            Record::Chunk(key, content) => {
                // Sending drops nothing but the chunk.
                if let Some(Progress::Streaming(sender)) = lock(&self.slots).get(key) {
                    sender.send(content.into_bytes());
                }
            }
            Record::File(key, file) => {
                if let Some(Progress::Streaming(sender)) = lock(&self.slots).get(key) {
                    sender.send_file(file);
                }
            }
            Record::Read(key) => lock(&self.slots).read(key),
            Record::Heartbeat(key, period) => {
                if let Some(Progress::Streaming(sender)) = lock(&self.slots).get(key) {
                    sender.set_heartbeat(period);
                }
            }
            Record::Subscribe(key, subscribe) => self.subscribe(key, subscribe),
            Record::End(key) => {
                let progress = lock(&self.slots).replace(key, Progress::Ended);
                if let Some(Progress::Streaming(sender)) = progress {
                    sender.end();
                }
            }
            Record::Fail(key) => {
                let progress = lock(&self.slots).remove(key);
                if let Some(Progress::Streaming(sender)) = progress {
                    sender.fail();
                }
            }
        }
    }
}

impl Bridge {
    fn subscribe(&self, key: Key, subscribe: Subscribe<'_>) {
        let progress = lock(&self.slots).replace(key, Progress::Ended);
        let Some(Progress::Streaming(sender)) = progress else {
            return;
        };
        // JavaScript has opened it, and it lasts.
        let Some(channel) = Channel::by_number(subscribe.channel) else {
            return;
        };
        let Subscribe {
            last_event_id,
            topics,
            ..
        } = subscribe;
        let subscription = channel.subscribe(&self.hub, sender, last_event_id, topics);
        // Who was sent away has not joined.
        let Some(subscription) = subscription else {
            return;
        };
        let _ended = lock(&self.slots).replace(key, Progress::Subscribed(subscription));
        if subscribe.followed {
            self.queue(|queue| queue.push_event(protocol::SUBSCRIBED, key, &[]));
        }
    }
}

impl Handler for Arc<Bridge> {
    fn handle(&self, mut request: Request<'_>, exchange: Exchange) {
        let (incoming, reads) = match request.body {
            RequestBody::Incoming(body) => {
                request.body = RequestBody::Received(&[]);
                let (reads, asked) = unbounded_channel();
                (Some((body, asked)), Some(reads))
            }
            _ => (None, None),
        };
        // Under one lock: an exchange that can be found is observed.
        let key = {
            let mut slots = lock(&self.slots);
            let key = slots.insert(exchange, reads);
            if let Some(Progress::Waiting(exchange)) = slots.get(key) {
                exchange.observe(Arc::clone(self) as Arc<dyn Observer>, key.to_token());
            }
            key
        };
        self.queue(|queue| queue.push_request(key, request, incoming.is_some()));
        if let Some((body, asked)) = incoming {
            let bridge = Arc::clone(self);
            task::spawn(async move { bridge.forward_body(key, body, asked).await });
        }
    }
}

impl Bridge {
    /// Forgets a request that is over, and tells JavaScript where it does not know.
    fn over(&self, token: u64, kind: u32) {
        let key = Key::from_token(token);
        let progress = lock(&self.slots).remove(key);
        // Dropped outside the lock, and before the event: nothing may follow it.
        if progress.map(drop).is_some() {
            self.queue(|queue| queue.push_event(kind, key, &[]));
        }
    }
}

impl Observer for Bridge {
    fn cancelled(&self, token: u64) {
        self.over(token, protocol::CANCELLED);
    }

    fn consumed(&self, token: u64, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.queue(|queue| queue.push_event(protocol::CONSUMED, Key::from_token(token), &[bytes]));
    }

    fn drained(&self, token: u64) {
        self.queue(|queue| queue.push_event(protocol::DRAINED, Key::from_token(token), &[]));
    }

    fn file_failed(&self, token: u64, errno: Option<i32>) {
        let key = Key::from_token(token);
        let progress = lock(&self.slots).remove(key);
        if progress.map(drop).is_some() {
            let errno = errno.unwrap_or(0).unsigned_abs();
            self.queue(|queue| queue.push_event(protocol::FILE_FAILED, key, &[errno]));
        }
    }

    fn completed(&self, token: u64) {
        self.over(token, protocol::COMPLETED);
    }
}
