//! A socket on a reactor.

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use mio::{Interest, Token, unix::SourceFd};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    CURRENT, Shared, lock,
    source::{Direction, Source},
};

/// A socket that does not block, watched by the reactor that runs this thread's tasks.
pub(crate) struct Polled<T: AsRawFd> {
    // Dropped first: what is closed cannot be taken off the watch.
    registration: Registration,
    socket: T,
}

struct Registration {
    fd: std::os::fd::RawFd,
    token: Token,
    source: Arc<Source>,
    reactor: Arc<Shared>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Fails only where the descriptor is gone, and the watch with it.
        let _ = self.reactor.registry.deregister(&mut SourceFd(&self.fd));
        lock(&self.reactor.sources).try_remove(self.token.0);
    }
}

impl<T: AsRawFd> Polled<T> {
    /// # Errors
    /// The system watches no more, or no reactor runs on this thread.
    pub(crate) fn new(socket: T) -> io::Result<Self> {
        let reactor = CURRENT.with_borrow(Option::clone);
        let reactor = reactor.ok_or_else(|| io::Error::other("no reactor runs on this thread"))?;
        let source = Arc::new(Source::new());
        let token = {
            let mut sources = lock(&reactor.sources);
            Token(sources.insert(Arc::clone(&source)))
        };
        let registration = Registration {
            fd: socket.as_raw_fd(),
            token,
            source,
            reactor,
        };
        registration.reactor.registry.register(
            &mut SourceFd(&registration.fd),
            token,
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(Self {
            registration,
            socket,
        })
    }

    /// The socket itself, watched no more.
    pub(crate) fn into_inner(self) -> T {
        self.socket
    }

    /// Whether the system has told of the end of what the other side sends.
    pub(crate) fn is_read_closed(&self) -> bool {
        self.registration.source.is_read_closed()
    }

    /// Calls `accept` until it does not have to wait.
    pub(crate) fn poll_accept<U>(
        &self,
        context: &mut Context<'_>,
        accept: impl Fn(&T) -> io::Result<U>,
    ) -> Poll<io::Result<U>> {
        self.registration
            .source
            .poll(Direction::Read, context, || accept(&self.socket))
    }
}

impl<T: AsRawFd> Polled<T>
where
    for<'a> &'a T: Write,
{
    /// Writes what there is room for now: `WouldBlock` where there is none.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.registration
            .source
            .attempt(Direction::Write, || (&self.socket).write(bytes))
    }

    /// The same of several slices.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.registration
            .source
            .attempt(Direction::Write, || (&self.socket).write_vectored(slices))
    }
}

impl<T: AsRawFd + AsFd> Polled<T> {
    /// Has `write` write to the socket's descriptor, once there is room.
    #[cfg(target_os = "linux")]
    pub(crate) fn poll_write_by(
        &self,
        context: &mut Context<'_>,
        write: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        drop(ready!(self.registration.reactor.poll_work(context)));
        self.registration
            .source
            .poll(Direction::Write, context, || write(self.socket.as_fd()))
    }
}

impl<T: AsRawFd + AsFd> AsFd for Polled<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<T: AsRawFd + Unpin> AsyncRead for Polled<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Registration {
            source, reactor, ..
        } = &self.registration;
        let mut work = ready!(reactor.poll_work(context));
        let room = buffer.remaining().min(work.scratch.len());
        let scratch = &mut work.scratch[..room];
        let read = ready!(source.poll(Direction::Read, context, || {
            (&self.socket).read(scratch)
        }))?;
        // Less than there was room for is all there is: the next try would only be told so.
        if 0 < read && read < room {
            source.exhausted(Direction::Read);
        }
        buffer.put_slice(&scratch[..read]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsRawFd + AsFd + Unpin> AsyncWrite for Polled<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        drop(ready!(self.registration.reactor.poll_work(context)));
        self.registration
            .source
            .poll(Direction::Write, context, || (&self.socket).write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        drop(ready!(self.registration.reactor.poll_work(context)));
        self.registration
            .source
            .poll(Direction::Write, context, || {
                (&self.socket).write_vectored(slices)
            })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self).shutdown(Shutdown::Write))
    }
}
