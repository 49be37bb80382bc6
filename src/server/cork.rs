//! Gathers what one poll of a connection writes, and sends it in one system call.
//!
//! hyper flushes after every response; of sixteen pipelined requests each answer would be a system
//! call and a packet of its own. (hyper's `pipeline_flush` is no way out: it loses answers before a
//! malformed request, and takes content without limit.)
//!
//! It also looks past hyper for the client's leaving: hyper does not read while it holds a pipelined
//! request, and would not see the end of the stream behind it.

mod ahead;
mod awaited;
mod events;
#[cfg(target_os = "linux")]
mod files;
mod leaving;
mod passage;

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep},
};

use super::socket::Socket;
use crate::body::{Drained, FileRange, Passage, Rest, StandsFor, before_placeholder};

/// Writes from this size on are not copied, but sent at once behind what was gathered.
const DIRECT: usize = 4 * 1024;
/// The most that is gathered: beyond it a write waits for the socket.
const LIMIT: usize = 64 * 1024;
/// What an idle connection may keep of its buffer.
const KEEP: usize = 1024;
/// How many slices one system call is given.
const SLICES: usize = 16;

/// A stream whose writes wait for [`Corked::poll_uncork`]. Clones share the stream: hyper has one,
/// the connection's task another.
pub(super) struct Corked<S> {
    shared: Arc<Mutex<Inner<S>>>,
}

struct Inner<S> {
    stream: TokioIo<S>,
    gathered: Vec<u8>,
    /// How much of `gathered` the socket has taken.
    sent: usize,
    /// Something was written to `stream` that it may hold back (TLS records).
    unflushed: bool,
    /// What was read past hyper, for hyper's next read.
    ahead: Vec<u8>,
    /// hyper waits for the socket itself.
    hyper_reads: bool,
    /// The last write of hyper's had to wait: hyper has it still.
    refused: bool,
    /// Between two polls of the connection, with nothing left to write.
    idle: bool,
    /// The connection's task waits for one answer, with nothing left to write: whoever has it may write it.
    awaits_answer: bool,
    /// Nothing is to be sent any more, no end either.
    aborted: bool,
    /// How many bytes the socket has taken.
    taken: u64,
    /// hyper has read something since a request was last in progress.
    begun: bool,
    /// Who waits for `gathered` to be taken.
    drained: Option<Arc<dyn Drained>>,
    /// The next look at a client that has sent more than is read.
    look: Option<Pin<Box<Sleep>>>,
    /// What the kernel is to send in place of what hyper writes.
    files: VecDeque<FileRange>,
    /// Where the connection can go on without hyper.
    rest: Option<Rest>,
    /// It has.
    taken_over: bool,
    /// When events were written past hyper.
    last_event: Option<Instant>,
}

/// What the other side of a connection has left undone.
#[derive(PartialEq)]
pub(super) enum HeldUp {
    /// It does not take what is to be sent, of which it has taken so many bytes.
    Writing(u64),
    /// It has begun a request.
    Reading,
    Not,
}

impl<S> Clone for Corked<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: Socket> Corked<S> {
    pub(super) fn new(stream: S) -> Self {
        let stream = TokioIo::new(stream);
        let inner = Inner {
            stream,
            gathered: Vec::new(),
            sent: 0,
            unflushed: false,
            ahead: Vec::new(),
            hyper_reads: false,
            refused: false,
            idle: false,
            awaits_answer: false,
            aborted: false,
            taken: 0,
            begun: false,
            drained: None,
            look: None,
            files: VecDeque::new(),
            rest: None,
            taken_over: false,
            last_event: None,
        };
        Self {
            shared: Arc::new(Mutex::new(inner)),
        }
    }

    /// The way past hyper.
    pub(super) fn passage(&self) -> Arc<dyn Passage>
    where
        S: 'static,
    {
        Arc::clone(&self.shared) as Arc<dyn Passage>
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        // Held for the length of a call that does not wait. A panic ends the connection.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// hyper is about to be polled.
    pub(super) fn begin(&self) {
        let mut inner = self.lock();
        inner.hyper_reads = false;
        inner.idle = false;
    }

    /// hyper was polled: sends what was gathered.
    pub(super) fn poll_uncork(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = {
            let mut inner = self.lock();
            ready!(inner.poll_uncork(context))?;
            inner.idle = !inner.refused;
            inner.drained.take()
        };
        if let Some(drained) = drained {
            drained.drained();
        }
        Poll::Ready(Ok(()))
    }

    /// Sends bytes at once; keeps those that there is no room for.
    pub(super) fn send(&self, slices: [&[u8]; 2], context: &mut Context<'_>) -> io::Result<HeldUp> {
        let mut inner = self.lock();
        let mut taken = 0;
        if inner.gathered.is_empty() {
            let stream = Pin::new(&mut inner.stream);
            let written = match slices {
                [one, []] => Write::poll_write(stream, context, one),
                slices => Write::poll_write_vectored(stream, context, &slices.map(IoSlice::new)),
            };
            if let Poll::Ready(written) = written {
                taken = written?;
            }
        }
        inner.taken += taken as u64;
        inner.unflushed = true;
        inner.keep_rest(slices, taken);
        Ok(match inner.poll_uncork(context) {
            Poll::Ready(sent) => sent.map(|()| HeldUp::Not)?,
            Poll::Pending => HeldUp::Writing(inner.taken),
        })
    }

    /// What the client keeps the connection waiting for, if anything. With `in_progress` what was
    /// read so far is of a request in progress, and not the beginning of another.
    pub(super) fn held_up(&self, in_progress: bool) -> HeldUp {
        self.lock().held_up(in_progress)
    }

    /// hyper has taken the head of a request: what it has read was of that one.
    pub(super) fn head_taken(&self) {
        self.lock().begun = false;
    }

    /// Whether a request has begun to arrive, read or not.
    pub(super) fn has_begun(&self) -> bool {
        let inner = self.lock();
        inner.begun || !inner.ahead.is_empty() || inner.stream.inner().has_unread()
    }

    /// Writes what is the last, with [`Corked::poll_end`].
    pub(super) fn write_last(&self, bytes: &[u8]) {
        self.lock().gathered.extend_from_slice(bytes);
    }

    /// Reads and forgets; how much, and 0 at the end of the stream.
    pub(super) fn poll_discard(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [MaybeUninit::uninit(); 4096];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        let mut inner = self.lock();
        ready!(Pin::new(inner.stream.inner_mut()).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Whether the closing of the connection is a reset, whoever closes it: the end of the process, too.
    pub(super) fn reset_on_close(&self, on: bool) {
        self.lock().stream.inner().reset_on_close(on);
    }

    /// Ends the sending side, once everything gathered was sent.
    pub(super) fn poll_end(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        ready!(inner.poll_uncork(context))?;
        Write::poll_shutdown(Pin::new(&mut inner.stream), context)
    }
}

impl<S> Inner<S> {
    /// Gathers what the socket has not taken of `slices`.
    fn keep_rest<const N: usize>(&mut self, slices: [&[u8]; N], mut taken: usize) {
        for slice in slices {
            let of_slice = taken.min(slice.len());
            taken -= of_slice;
            self.gathered.extend_from_slice(&slice[of_slice..]);
        }
    }

    fn held_up(&mut self, in_progress: bool) -> HeldUp {
        self.begun &= !in_progress;
        if self.refused || self.unflushed || self.sent < self.gathered.len() {
            HeldUp::Writing(self.taken)
        } else if self.begun {
            HeldUp::Reading
        } else {
            HeldUp::Not
        }
    }

    fn clear(&mut self) {
        self.sent = 0;
        self.gathered.clear();
        self.gathered.shrink_to(KEEP);
    }
}

impl<S: Socket> Inner<S> {
    fn poll_uncork(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.aborted {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        while self.sent < self.gathered.len() {
            let rest = &self.gathered[self.sent..];
            let sent = ready!(Write::poll_write(Pin::new(&mut self.stream), context, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
            self.taken += sent as u64;
        }
        self.clear();
        if self.unflushed {
            ready!(Write::poll_flush(Pin::new(&mut self.stream), context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (slices, stands) = before_placeholder(slices);
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>();
        match stands {
            // It is as good as written.
            Some((StandsFor::Written, stands)) if length == 0 => return Poll::Ready(Ok(stands)),
            #[cfg(target_os = "linux")]
            Some((StandsFor::File, stands)) if length == 0 => {
                return self.poll_send_file(context, stands);
            }
            _ => {}
        }
        self.unflushed = true;
        if length < DIRECT && self.gathered.len() + length <= LIMIT {
            for slice in slices {
                self.gathered.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(length));
        }
        loop {
            let rest = &self.gathered[self.sent..];
            let mut all = [IoSlice::new(&[]); SLICES];
            all[0] = IoSlice::new(rest);
            let behind = slices.len().min(SLICES - 1);
            all[1..=behind].copy_from_slice(&slices[..behind]);
            let first = usize::from(rest.is_empty());
            let stream = Pin::new(&mut self.stream);
            let sent = ready!(Write::poll_write_vectored(
                stream,
                context,
                &all[first..=behind]
            ))?;
            if sent == 0 {
                return Poll::Ready(Ok(0));
            }
            self.taken += sent as u64;
            if let Some(of_slices) = sent.checked_sub(rest.len()) {
                self.clear();
                if of_slices > 0 {
                    return Poll::Ready(Ok(of_slices));
                }
            } else {
                self.sent += sent;
            }
        }
    }
}

impl<S: Socket> Read for Corked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        if !inner.ahead.is_empty() {
            inner.begun = true;
            let length = inner.ahead.len().min(buffer.remaining());
            buffer.put_slice(&inner.ahead[..length]);
            inner.ahead.drain(..length);
            if inner.ahead.is_empty() {
                inner.ahead = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut inner.stream).poll_read(context, buffer);
        inner.hyper_reads = read.is_pending();
        inner.begun |= read.is_ready();
        read
    }
}

impl<S: Socket> Write for Corked<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        let written = inner.poll_write(context, slices);
        inner.refused = written.is_pending();
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Waits for `poll_uncork`, which follows every poll of the connection.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends what was gathered. When the connection ends is for who had hyper serve it to say.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_uncork(context)
    }
}
