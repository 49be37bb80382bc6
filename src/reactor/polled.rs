//! A socket on a reactor.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use mio::{Interest, Token, unix::SourceFd};
use rustix::{
    io::writev,
    net::{RecvFlags, SendFlags, recv, send},
};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    Shared, current, lock,
    source::{Direction, Source},
};

/// A client that has left is an error, and no signal (which Node ignores anyway).
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();

/// A socket that does not block, watched by the reactor that runs this thread's tasks.
pub(crate) struct Polled<T> {
    // Dropped first: what is closed cannot be taken off the watch.
    registration: Registration,
    socket: T,
}

struct Registration {
    fd: RawFd,
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

/// Pending where the turn has taken long enough.
fn may_go_on(context: &mut Context<'_>) -> Poll<io::Result<()>> {
    current::poll_work(context, |_, _| Poll::Ready(Ok(())))
}

impl<T: AsFd> Polled<T> {
    /// # Errors
    /// The system watches no more, or no reactor runs on this thread.
    pub(crate) fn new(socket: T) -> io::Result<Self> {
        let reactor = current::reactor()?;
        let source = Arc::new(Source::new());
        let token = {
            let mut sources = lock(&reactor.sources);
            Token(sources.insert(Arc::clone(&source)))
        };
        let registration = Registration {
            fd: socket.as_fd().as_raw_fd(),
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
        self.registration.source.known().is_read_closed()
    }

    /// Calls `accept` until it does not have to wait.
    pub(crate) fn poll_accept<U>(
        &self,
        context: &mut Context<'_>,
        accept: impl Fn(&T) -> io::Result<U>,
    ) -> Poll<io::Result<U>> {
        ready!(may_go_on(context))?;
        self.registration
            .source
            .poll(Direction::Read, context, || accept(&self.socket))
    }

    /// Writes what there is room for now: `WouldBlock` where there is none.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.registration
            .source
            .attempt(Direction::Write, || Ok(send(&self.socket, bytes, SEND)?))
    }

    /// The same of several slices.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.registration
            .source
            .attempt(Direction::Write, || Ok(writev(&self.socket, slices)?))
    }

    /// Has `write` write to the socket's descriptor, once there is room.
    #[cfg(target_os = "linux")]
    pub(crate) fn poll_write_by(
        &self,
        context: &mut Context<'_>,
        write: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(may_go_on(context))?;
        self.registration
            .source
            .poll(Direction::Write, context, || write(self.socket.as_fd()))
    }
}

impl<T: AsFd> AsFd for Polled<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<T: AsFd + Unpin> AsyncRead for Polled<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let source = &self.registration.source;
        current::poll_work(context, |context, work| {
            let room = buffer.remaining().min(work.scratch.len());
            let scratch = &mut work.scratch[..room];
            let known = source.known();
            let read = ready!(source.poll(Direction::Read, context, || {
                Ok(recv(&self.socket, &mut *scratch, RecvFlags::empty())?.0)
            }))?;
            // Less than there was room for is all there is: the next try would only be told so.
            if 0 < read && read < room {
                source.exhausted(Direction::Read, known);
            }
            buffer.put_slice(&scratch[..read]);
            Poll::Ready(Ok(()))
        })
    }
}

impl<T: AsFd + Unpin> AsyncWrite for Polled<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(may_go_on(context))?;
        self.registration
            .source
            .poll(Direction::Write, context, || {
                Ok(send(&self.socket, bytes, SEND)?)
            })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(may_go_on(context))?;
        self.registration
            .source
            .poll(Direction::Write, context, || {
                Ok(writev(&self.socket, slices)?)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{
        io::Write,
        os::unix::net::UnixStream,
        sync::atomic::{AtomicBool, Ordering},
        time::{Duration, Instant},
    };

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::reactor::Reactor;

    /// Longer than a turn reads and writes.
    const LONG: Duration = Duration::from_millis(5);
    /// More than are looked at.
    const TURNS: usize = 20;

    fn pair() -> (UnixStream, UnixStream) {
        let (here, there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        (here, there)
    }

    #[test]
    fn who_had_to_wait_for_a_turn_does_not_wait_for_who_took_the_last_one() {
        let reactor = Reactor::new(1).unwrap();
        let (busy, mut busy_client) = pair();
        let (other, mut other_client) = pair();
        let is_read = Arc::new(AtomicBool::new(false));
        let reads = Arc::clone(&is_read);
        busy_client.write_all(&[0; 10_000]).unwrap();
        other_client.write_all(&[0]).unwrap();
        reactor.spawn(async move {
            let mut busy = Polled::new(busy).unwrap();
            loop {
                busy.read_u8().await.unwrap();
                let until = Instant::now() + LONG;
                while Instant::now() < until {}
            }
        });
        reactor.spawn(async move {
            let mut other = Polled::new(other).unwrap();
            other.read_u8().await.unwrap();
            reads.store(true, Ordering::Relaxed);
        });
        let turns = (0..TURNS).take_while(|_| {
            reactor.turn(Some(Duration::ZERO));
            // And something happens to it, too.
            busy_client.write_all(&[0]).unwrap();
            !is_read.load(Ordering::Relaxed)
        });
        assert!(turns.count() < TURNS);
        reactor.stop();
    }

    #[test]
    fn a_turn_ends_while_there_is_always_something_to_accept() {
        let reactor = Reactor::new(1).unwrap();
        let (listening, _client) = pair();
        let accepted = Arc::new(AtomicBool::new(false));
        let accepts = Arc::clone(&accepted);
        let ended = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&ended);
        reactor.spawn(async move {
            let listening = Polled::new(listening).unwrap();
            let until = Instant::now() + Duration::from_secs(10);
            // Up to the deadline of a test that has failed.
            while !has_ended.load(Ordering::Relaxed) && Instant::now() < until {
                std::future::poll_fn(|context| listening.poll_accept(context, |_| Ok(())))
                    .await
                    .unwrap();
            }
            accepts.store(true, Ordering::Relaxed);
        });
        reactor.turn(Some(Duration::ZERO));
        assert!(!accepted.load(Ordering::Relaxed));
        ended.store(true, Ordering::Relaxed);
        reactor.turn(Some(Duration::ZERO));
        assert!(accepted.load(Ordering::Relaxed));
    }
}
