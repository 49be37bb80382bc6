//! Requests that have come whole: read from the memory that the socket was read into, and handed over at once.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    mem::MaybeUninit,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::ReadBuf;

use super::{
    Connection, Outcome,
    answer::{self, APART, Head, LARGEST},
    past_task::PastTask,
};
use crate::{
    body::ResponseBody,
    exchange::{Answer, Shortcut},
    handler::Handler,
    header_section::LastSection,
    router::Method,
    server::{
        cork::HeldUp,
        parking::Parked,
        socket::Socket,
        timeouts::{Timeouts, WaitsFor},
    },
    service::{Begun, unanswered},
    whole_request::{Parsed, Room, parse},
};

/// How much is read at a time: more than is read ahead while nothing is to be read.
const READ: usize = 20 * 1024;
/// How many requests of one connection are answered at a time.
const MOST: usize = 64;

/// Requests in the order in which they came, which is the order of their answers (RFC 9112, 9.3.2).
struct Requests<'a, H, S> {
    connection: &'a Connection<'a, H, S>,
    begun: VecDeque<(Method, Begun<'a>)>,
    /// What was read ahead is the beginning of a request.
    partly: bool,
    /// What was read ahead begins with a request that is not begun beside others.
    alone: bool,
    /// The rest takes hyper.
    for_hyper: bool,
    /// The server is to stop: nothing more is read.
    stopping: bool,
    /// The answer of the only request may have been written past this.
    awaits_answer: bool,
    shortcut: Option<Arc<dyn Shortcut>>,
    last_section: LastSection,
}

/// Serves requests until the connection ends, or hyper is to go on: with these, which were begun.
pub(super) async fn serve<'a, H: Handler, S>(
    connection: &'a Connection<'a, H, S>,
    timeouts: &mut Timeouts,
    mut parked: Option<Parked<'a>>,
) -> Result<VecDeque<Begun<'a>>, Outcome>
where
    S: Socket + 'static,
{
    let Connection {
        stream,
        service,
        shutdown,
        ..
    } = *connection;
    stream.begin();
    let mut requests = Requests {
        connection,
        begun: VecDeque::new(),
        partly: false,
        alone: false,
        for_hyper: false,
        stopping: false,
        awaits_answer: false,
        shortcut: None,
        last_section: LastSection::None,
    };
    let mut started = pin!(shutdown.started());
    let mut waits = false;
    poll_fn(|context| {
        // Asked once, it wakes this task when there is an answer.
        if !waits || (!requests.stopping && shutdown.has_started()) {
            requests.stopping = started.as_mut().poll(context).is_ready();
            waits = true;
        }
        let mut has_read = false;
        let mut known = None;
        loop {
            let Ok(held_up) = requests.answer(known.take(), context) else {
                return Poll::Ready(Err(Outcome::Gone));
            };
            if requests.stopping && requests.begun.len() <= 1 {
                return requests.stop(context);
            }
            if requests.for_hyper {
                return Poll::Ready(Ok(()));
            }
            let is_idle = requests.begun.is_empty();
            if held_up == HeldUp::Not && requests.has_room() {
                match requests.read(context) {
                    Poll::Ready(Ok(true)) => {
                        parked = None;
                        has_read = true;
                        known = Some(held_up);
                        continue;
                    }
                    Poll::Ready(Ok(false)) if is_idle => return Poll::Ready(Err(Outcome::Ended)),
                    Poll::Ready(_) => return Poll::Ready(Err(Outcome::Gone)),
                    Poll::Pending => {}
                }
            } else if stream.poll_left(context).is_ready() {
                return Poll::Ready(Err(Outcome::Gone));
            }
            let waits_for = match held_up {
                HeldUp::Writing(taken) => WaitsFor::Client(taken),
                HeldUp::Not if requests.await_answer() => WaitsFor::Answer,
                _ if !is_idle => WaitsFor::Server,
                _ if parked.is_some() => WaitsFor::ParkedRequest,
                _ => WaitsFor::Request,
            };
            if has_read && waits_for == WaitsFor::Request {
                timeouts.restart();
            }
            let config = &service.config;
            if timeouts.poll(waits_for, config, context).is_pending() {
                return Poll::Pending;
            }
            if !waits_for.is_to_park(config) {
                return Poll::Ready(Err(Outcome::TimedOut(waits_for)));
            }
            requests.last_section = LastSection::None;
            parked = Some(service.parking.park());
        }
    })
    .await?;
    Ok(requests.hand_over())
}

impl<'a, H: Handler, S: Socket + 'static> Requests<'a, H, S> {
    /// The server is to stop: the last that is in progress is hyper's, which tells the client of it.
    fn stop(&self, context: &mut Context<'_>) -> Poll<Result<(), Outcome>> {
        let Connection {
            stream, shutdown, ..
        } = *self.connection;
        if !self.begun.is_empty() || stream.held_up(false) != HeldUp::Not {
            return Poll::Ready(Ok(()));
        }
        if stream.can_leave(shutdown) {
            return Poll::Ready(Err(Outcome::Idle));
        }
        Poll::Ready(match stream.poll_ahead(context) {
            Poll::Ready(Ok(false)) => Err(Outcome::Ended),
            Poll::Ready(Err(_)) => Err(Outcome::Gone),
            Poll::Pending if !stream.has_begun() => Err(Outcome::Unused),
            Poll::Ready(Ok(true)) | Poll::Pending => Ok(()),
        })
    }

    /// Whether another request may be begun beside those that are.
    fn has_room(&self) -> bool {
        let is_safe = |(method, _): &(Method, _)| method.is_safe();
        !self.stopping
            && self.begun.len() < MOST
            && self
                .begun
                .back()
                .is_none_or(|last| !self.alone && is_safe(last))
    }

    /// Reads what has come, and begins the requests in it. False at the end of what the client sends.
    fn read(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        let mut bytes = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        let stream = self.connection.stream;
        let read = stream.poll_received(context, &mut buffer, self.partly);
        let Poll::Ready(Ok(true)) = read else {
            return read;
        };
        let rest = self.begin(buffer.filled());
        if !rest.is_empty() {
            // More of it was read: it need not come.
            self.partly &= !stream.unread(rest);
        }
        Poll::Ready(Ok(true))
    }

    /// Begins the requests that `bytes` hold, as far as they can be; returns the rest.
    fn begin<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        let Connection { state, service, .. } = *self.connection;
        self.partly = false;
        self.alone = false;
        while !bytes.is_empty() && self.has_room() {
            let mut room: Room<'_> = [MaybeUninit::uninit(); _];
            match parse(bytes, &mut room, &service.config, &self.last_section) {
                // Not beside others (RFC 9110, 9.2.1).
                Parsed::Whole(request) if !request.method.is_safe() && !self.begun.is_empty() => {
                    self.alone = true;
                }
                Parsed::Whole(request) => {
                    let Some(begun) = service.begin_whole(state, &request) else {
                        self.for_hyper = true;
                        break;
                    };
                    self.begun.push_back((request.method, begun));
                    let (length, section) = (request.length, request.section);
                    if let Some(section) = section {
                        self.last_section.follow(&bytes[section]);
                    }
                    bytes = &bytes[length..];
                }
                // The rest may come while others are answered.
                Parsed::Partly if !self.begun.is_empty() && bytes.len() < READ / 2 => {
                    self.partly = true;
                    break;
                }
                Parsed::Partly | Parsed::Other => {
                    self.for_hyper = true;
                    break;
                }
            }
        }
        bytes
    }

    /// Lets the answer of the only request be written past this; false where that cannot be.
    fn await_answer(&mut self) -> bool {
        let Connection {
            stream, service, ..
        } = *self.connection;
        // A request is counted until this goes on.
        if self.stopping || service.config.max_concurrent_requests.is_some() {
            return false;
        }
        let (Some((method, Begun::Handled { reply, .. })), 1) =
            (self.begun.front(), self.begun.len())
        else {
            return false;
        };
        if *method == Method::Head {
            return false;
        }
        let shortcut = self
            .shortcut
            .get_or_insert_with(|| Arc::new(PastTask(stream.clone())));
        reply.offer(shortcut);
        self.awaits_answer = stream.await_answer();
        self.awaits_answer
    }

    /// Sends the answers that are there, in order. What the client keeps the connection waiting for, which may be
    /// `known`.
    fn answer(
        &mut self,
        known: Option<HeldUp>,
        context: &mut Context<'_>,
    ) -> std::io::Result<HeldUp> {
        let stream = self.connection.stream;
        let (mut held_up, is_written) = match known {
            Some(known) => (known, false),
            None => stream.go_on(),
        };
        // Past this: the socket has it, whether or not its exchange has been told yet.
        if std::mem::take(&mut self.awaits_answer) && is_written {
            self.begun.pop_front();
        }
        if held_up != HeldUp::Not
            && let Poll::Ready(written) = stream.poll_uncork(context)
        {
            written?;
            held_up = HeldUp::Not;
        }
        let mut gathered = Vec::new();
        let unless = usize::from(self.stopping);
        while held_up == HeldUp::Not
            && self.begun.len() > unless
            && let Some((method, begun)) = self.begun.front_mut()
        {
            let Poll::Ready(content) = poll_answer(begun, *method, &mut gathered, context) else {
                break;
            };
            let Some(content) = content else {
                self.for_hyper = true;
                break;
            };
            self.begun.pop_front();
            if content.len() < APART {
                gathered.extend_from_slice(&content);
            } else {
                held_up = stream.send([&gathered, &content], context)?;
                gathered.clear();
            }
        }
        if !gathered.is_empty() {
            held_up = stream.send([&gathered, &[]], context)?;
        }
        // The beginning of a request is hyper's where there is nothing to wait for but its rest.
        self.for_hyper |= self.partly && self.begun.is_empty();
        Ok(held_up)
    }

    /// Has hyper read again what it is to answer. Of those requests it needs to know what makes a
    /// difference to how an answer is written, and no more.
    fn hand_over(self) -> VecDeque<Begun<'a>> {
        let mut heads = Vec::new();
        for (method, _) in &self.begun {
            heads.extend_from_slice(match method {
                Method::Head => b"HEAD / HTTP/1.1\r\n\r\n",
                _ => b"GET / HTTP/1.1\r\n\r\n",
            });
        }
        self.connection.stream.unread(&heads);
        self.begun.into_iter().map(|(_, begun)| begun).collect()
    }
}

/// The content of a request's answer, whose head is `gathered` then; `None` where hyper is to write it.
fn poll_answer(
    begun: &mut Begun<'_>,
    method: Method,
    gathered: &mut Vec<u8>,
    context: &mut Context<'_>,
) -> Poll<Option<Bytes>> {
    let is_head = method == Method::Head;
    let content = match begun {
        Begun::Answered(response) => {
            let ResponseBody::Full(content) = response.body() else {
                return Poll::Ready(None);
            };
            let head = Head::Map(response.status(), response.headers());
            (answer::write_head(head, content.len(), is_head, gathered)).then(|| content.clone())
        }
        Begun::Handled { reply, version, .. } => {
            let Poll::Ready(answer) = Pin::new(reply).poll(context) else {
                return Poll::Pending;
            };
            match answer {
                Some(Answer::Full(response))
                    if response.body.len() <= LARGEST
                        && answer::write_head(
                            Head::Lines(response.status, &response.fields),
                            response.body.len(),
                            is_head,
                            gathered,
                        ) =>
                {
                    Some(response.body)
                }
                Some(answer) => {
                    *begun = Begun::Settled(Box::new(answer), *version);
                    None
                }
                None => {
                    *begun = Begun::Answered(Box::new(unanswered()));
                    return poll_answer(begun, method, gathered, context);
                }
            }
        }
        Begun::Settled(..) | Begun::Reading(_) => None,
    };
    let without = |content| if is_head { Bytes::new() } else { content };
    Poll::Ready(content.map(without))
}
