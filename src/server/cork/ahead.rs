//! What is read past hyper, and read by it later.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{io::ReadBuf, time::sleep};

use super::{Corked, Socket};
use crate::config::CONNECTION_BUFFER;

/// How much is read past hyper at a time.
const AHEAD: usize = 16 * 1024;
/// Until there is so much of what hyper does not ask for yet, more is read: it reads as much at a time.
const ENOUGH_AHEAD: usize = CONNECTION_BUFFER;
/// Behind more than that, how often it is looked whether the client has left: nothing wakes who does
/// not read.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<S: Socket> Corked<S> {
    /// Whether the client begins as one of HTTP/2 does. What was read for that, hyper reads again.
    pub(in crate::server) fn poll_preface(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let mut inner = self.lock();
        loop {
            let known = inner.ahead.len().min(PREFACE.len());
            if inner.ahead[..known] != PREFACE[..known] {
                return Poll::Ready(Ok(false));
            }
            if known == PREFACE.len() {
                return Poll::Ready(Ok(true));
            }
            let mut bytes = [MaybeUninit::uninit(); AHEAD];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(inner.stream.inner_mut()).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            inner.ahead.extend_from_slice(buffer.filled());
        }
    }

    /// Waits for the first bytes of a request, for hyper's next read; false where the client has left.
    pub(in crate::server) fn poll_ahead(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let mut inner = self.lock();
        if !inner.ahead.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let mut bytes = [MaybeUninit::uninit(); AHEAD];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(inner.stream.inner_mut()).poll_read(context, &mut buffer))?;
        inner.ahead.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(!buffer.filled().is_empty()))
    }

    /// Takes what was read ahead or, where there is nothing of it, or `partly` a request, that and what has come.
    /// False at the end of what the client sends.
    pub(in crate::server) fn poll_received(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        partly: bool,
    ) -> Poll<io::Result<bool>> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        // hyper may have read more than there is room for; part of a request is all that was.
        let length = inner.ahead.len().min(buffer.remaining());
        buffer.put_slice(&inner.ahead[..length]);
        if inner.ahead.is_empty() || partly {
            ready!(Pin::new(inner.stream.inner_mut()).poll_read(context, buffer))?;
        }
        let is_more = !partly || buffer.filled().len() > length;
        inner.ahead = inner.ahead.split_off(length);
        Poll::Ready(Ok(is_more && !buffer.filled().is_empty()))
    }

    /// Gives back what is to be read again, before what was read ahead; whether there is any of that.
    pub(in crate::server) fn unread(&self, bytes: &[u8]) -> bool {
        let mut inner = self.lock();
        let is_followed = !inner.ahead.is_empty();
        inner.ahead.splice(..0, bytes.iter().copied());
        is_followed
    }

    /// Lets go of memory that only a connection in use needs.
    pub(in crate::server) fn park(&self) {
        self.lock().gathered.shrink_to_fit();
    }

    /// Where hyper, polled, did not wait for the socket: resolves when the client has left.
    pub(in crate::server) fn poll_left(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        while !inner.hyper_reads && inner.ahead.len() < ENOUGH_AHEAD {
            let mut bytes = [MaybeUninit::uninit(); AHEAD];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            match ready!(Pin::new(inner.stream.inner_mut()).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    inner.ahead.extend_from_slice(buffer.filled());
                }
                _ => return Poll::Ready(()),
            }
        }
        while !inner.hyper_reads {
            if inner.stream.inner().has_left() {
                return Poll::Ready(());
            }
            let look = inner
                .look
                .get_or_insert_with(|| Box::pin(sleep(LOOK_EVERY)));
            ready!(look.as_mut().poll(context));
            inner.look = None;
        }
        Poll::Pending
    }
}
