//! What a connection's socket can do beyond reading and writing: TCP, Unix, and TLS over either.

#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::{
    future::Future,
    io::{self, IoSlice, Write as _},
    mem::MaybeUninit,
    net::Shutdown,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, Ready},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

#[cfg(unix)]
use crate::reactor::Polled;

/// A connected stream socket.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    /// Writes what there is room for, outside the task that serves the socket. Where it has failed it
    /// takes nothing: the task will find out.
    fn write_now(&mut self, bytes: &[u8]) -> Written;

    /// The same, from any thread: how much was taken, or `None` where that cannot be.
    fn write_large_now(&mut self, slices: &[IoSlice<'_>]) -> Option<usize>;

    /// Has `write` write to the socket's descriptor, once there is room. Only where it [`Socket::sends_files`].
    #[cfg(target_os = "linux")]
    fn poll_write_by(
        &mut self,
        context: &mut Context<'_>,
        write: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>;

    /// Whether the kernel can send a file by it: nothing has to be encrypted.
    fn sends_files(&self) -> bool {
        cfg!(target_os = "linux")
    }

    /// Whether the end of what the client sends has arrived, read or not.
    fn has_left(&self) -> bool;

    /// Whether something has arrived that was not read, even if the runtime has not heard of it.
    fn has_unread(&self) -> bool;

    /// Whether its closing, whatever it is closed by, is a reset (TCP's RST).
    fn reset_on_close(&self, on: bool);

    /// What another process can go on with; `None` where it would have to know more.
    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Ends it, outside the task that serves it and will find out: its closing is a reset.
    fn abort(&self);
}

/// Wakes the task, which finds that the client has left. Nothing is sent: a FIN could make the response
/// look complete.
fn shut_down(socket: &SockRef<'_>) {
    // Failing means that the connection is gone already.
    let _ = socket.shutdown(Shutdown::Read);
}

fn peeks(socket: &SockRef<'_>) -> bool {
    socket
        .peek(&mut [MaybeUninit::uninit()])
        .is_ok_and(|length| length > 0)
}

pub(super) struct Written {
    pub(super) taken: usize,
    /// None of what was taken is held back.
    pub(super) flushed: bool,
}

impl Socket for TcpStream {
    fn write_now(&mut self, bytes: &[u8]) -> Written {
        Written {
            taken: self.try_write(bytes).unwrap_or(0),
            flushed: true,
        }
    }

    fn write_large_now(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        Some(self.try_write_vectored(slices).unwrap_or(0))
    }

    #[cfg(target_os = "linux")]
    fn poll_write_by(
        &mut self,
        context: &mut Context<'_>,
        write: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        poll_written(
            || self.poll_write_ready(context),
            || self.try_io(Interest::WRITABLE, || write(self.as_fd())),
        )
    }

    fn has_left(&self) -> bool {
        is_read_closed(self.ready(Interest::READABLE))
    }

    fn has_unread(&self) -> bool {
        peeks(&SockRef::from(self))
    }

    fn reset_on_close(&self, on: bool) {
        // Failing means that the connection is gone already.
        let _ = SockRef::from(self).set_linger(on.then_some(Duration::ZERO));
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn abort(&self) {
        self.reset_on_close(true);
        shut_down(&SockRef::from(self));
    }
}

#[cfg(unix)]
impl<T: AsFd + Unpin + Send> Socket for Polled<T> {
    fn write_now(&mut self, bytes: &[u8]) -> Written {
        Written {
            taken: self.try_write(bytes).unwrap_or(0),
            flushed: true,
        }
    }

    fn write_large_now(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        Some(self.try_write_vectored(slices).unwrap_or(0))
    }

    #[cfg(target_os = "linux")]
    fn poll_write_by(
        &mut self,
        context: &mut Context<'_>,
        write: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        Polled::poll_write_by(self, context, write)
    }

    fn has_left(&self) -> bool {
        self.is_read_closed()
    }

    fn has_unread(&self) -> bool {
        peeks(&SockRef::from(self))
    }

    /// Of TCP only; closing a Unix socket with unread data is the nearest.
    fn reset_on_close(&self, on: bool) {
        // Failing means that the connection is gone already.
        let _ = SockRef::from(self).set_linger(on.then_some(Duration::ZERO));
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn abort(&self) {
        self.reset_on_close(true);
        shut_down(&SockRef::from(self));
    }
}

#[cfg(unix)]
impl Socket for tokio::net::UnixStream {
    fn write_now(&mut self, bytes: &[u8]) -> Written {
        Written {
            taken: self.try_write(bytes).unwrap_or(0),
            flushed: true,
        }
    }

    fn write_large_now(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        Some(self.try_write_vectored(slices).unwrap_or(0))
    }

    #[cfg(target_os = "linux")]
    fn poll_write_by(
        &mut self,
        context: &mut Context<'_>,
        write: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        poll_written(
            || self.poll_write_ready(context),
            || self.try_io(Interest::WRITABLE, || write(self.as_fd())),
        )
    }

    fn has_left(&self) -> bool {
        is_read_closed(self.ready(Interest::READABLE))
    }

    fn has_unread(&self) -> bool {
        peeks(&SockRef::from(self))
    }

    /// A Unix socket knows no reset; closing it with unread data is the nearest.
    fn reset_on_close(&self, _: bool) {}

    fn abort(&self) {
        shut_down(&SockRef::from(self));
    }
}

/// Writes once there is room, of which the runtime may have been told too much.
#[cfg(target_os = "linux")]
fn poll_written(
    mut poll_ready: impl FnMut() -> Poll<io::Result<()>>,
    mut write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    use io::ErrorKind::{Interrupted, WouldBlock};

    loop {
        std::task::ready!(poll_ready())?;
        match write() {
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {}
            written => return Poll::Ready(written),
        }
    }
}

/// What the runtime has heard of a socket, without waiting for more.
fn is_read_closed(ready: impl Future<Output = io::Result<Ready>>) -> bool {
    let known = pin!(ready).poll(&mut Context::from_waker(Waker::noop()));
    matches!(known, Poll::Ready(Ok(ready)) if ready.is_read_closed())
}

impl Socket for Box<dyn Socket> {
    fn write_now(&mut self, bytes: &[u8]) -> Written {
        (**self).write_now(bytes)
    }

    fn write_large_now(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        (**self).write_large_now(slices)
    }

    #[cfg(target_os = "linux")]
    fn poll_write_by(
        &mut self,
        context: &mut Context<'_>,
        write: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        (**self).poll_write_by(context, write)
    }

    fn sends_files(&self) -> bool {
        (**self).sends_files()
    }

    fn has_left(&self) -> bool {
        (**self).has_left()
    }

    fn has_unread(&self) -> bool {
        (**self).has_unread()
    }

    fn reset_on_close(&self, on: bool) {
        (**self).reset_on_close(on);
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (**self).descriptor()
    }

    fn abort(&self) {
        (**self).abort();
    }
}

impl<S: Socket> Socket for TlsStream<S> {
    fn write_now(&mut self, bytes: &[u8]) -> Written {
        let (socket, session) = self.get_mut();
        let taken = session.writer().write(bytes).unwrap_or(0);
        let mut flushed = true;
        while flushed && session.wants_write() {
            flushed = session.write_tls(&mut Now(socket)).is_ok();
        }
        Written { taken, flushed }
    }

    /// To encrypt is the I/O thread's work.
    fn write_large_now(&mut self, _: &[IoSlice<'_>]) -> Option<usize> {
        None
    }

    #[cfg(target_os = "linux")]
    fn poll_write_by(
        &mut self,
        _: &mut Context<'_>,
        _: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn sends_files(&self) -> bool {
        false
    }

    fn has_left(&self) -> bool {
        self.get_ref().0.has_left()
    }

    /// What was read and not decrypted is not looked at: the rest of its record is on its way.
    fn has_unread(&self) -> bool {
        self.get_ref().0.has_unread()
    }

    /// Without `close_notify` the client sees the content cut off (RFC 8446, 6.1), too.
    fn reset_on_close(&self, on: bool) {
        self.get_ref().0.reset_on_close(on);
    }

    fn abort(&self) {
        self.get_ref().0.abort();
    }
}

/// What rustls writes its records to.
struct Now<'a, S>(&'a mut S);

impl<S: Socket> io::Write for Now<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write_now(bytes).taken {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
