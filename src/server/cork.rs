//! Gathers what one poll of a connection writes, and sends it in one system call.
//!
//! hyper flushes after every response; of sixteen pipelined requests each answer would be a system
//! call and a packet of its own. (hyper's `pipeline_flush` is no way out: it loses answers before a
//! malformed request, and takes content without limit.)

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Writes from this size on are not copied, but sent at once behind what was gathered.
const DIRECT: usize = 16 * 1024;
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
}

impl<S> Clone for Corked<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Corked<S> {
    pub(super) fn new(stream: S) -> Self {
        let stream = TokioIo::new(stream);
        let inner = Inner {
            stream,
            gathered: Vec::new(),
            sent: 0,
            unflushed: false,
        };
        Self {
            shared: Arc::new(Mutex::new(inner)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        // One task polls both clones: this never waits. A panic ends the connection.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what was gathered.
    pub(super) fn poll_uncork(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_uncork(context)
    }

    /// Reads into `buffer` past hyper.
    pub(super) fn poll_read_past(
        &self,
        context: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.lock().stream.inner_mut()).poll_read(context, buffer)
    }

    /// Ends the sending side, once everything gathered was sent.
    pub(super) fn poll_end(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        ready!(inner.poll_uncork(context))?;
        Write::poll_shutdown(Pin::new(&mut inner.stream), context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inner<S> {
    fn poll_uncork(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.gathered.len() {
            let rest = &self.gathered[self.sent..];
            let sent = ready!(Write::poll_write(Pin::new(&mut self.stream), context, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.reset();
        if self.unflushed {
            ready!(Write::poll_flush(Pin::new(&mut self.stream), context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self) {
        self.sent = 0;
        self.gathered.clear();
        self.gathered.shrink_to(KEEP);
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>();
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
            if let Some(of_slices) = sent.checked_sub(rest.len()) {
                self.reset();
                if of_slices > 0 {
                    return Poll::Ready(Ok(of_slices));
                }
            } else {
                self.sent += sent;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for Corked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Corked<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.lock().poll_write(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().poll_write(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Waits for `poll_uncork`, which follows every poll of the connection.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(context)
    }
}
