//! Content of a file, which the kernel sends where hyper writes what stands for it.

use std::{
    io,
    task::{Context, Poll, ready},
};

use rustix::net::{SendFlags, send};

use super::{Inner, Socket};

impl<S: Socket> Inner<S> {
    /// Sends at most `length` bytes of the range that is next; how many.
    pub(super) fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let socket = self.stream.inner_mut();
        while self.sent < self.gathered.len() {
            let rest = &self.gathered[self.sent..];
            // The content follows: they leave together.
            let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
            let sent = ready!(socket.poll_write_by(context, &mut |descriptor| {
                send(descriptor, rest, flags).map_err(io::Error::from)
            }))?;
            self.sent += sent;
            self.taken += sent as u64;
        }
        let Some(range) = self.files.front_mut() else {
            // hyper writes placeholders in the order in which the ranges came.
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        };
        let sent = ready!(socket.poll_write_by(context, &mut |descriptor| {
            range.send(descriptor, length)
        }))?;
        if range.is_sent() {
            self.files.pop_front();
        }
        self.taken += sent as u64;
        self.clear();
        Poll::Ready(Ok(sent))
    }
}
