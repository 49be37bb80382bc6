//! A connection that only sends events any more: without hyper, and without the memory that it needs to read
//! another request.

use std::{
    io,
    task::{Context, Poll, ready},
};

use super::{Corked, KEEP, Socket};
use crate::body::{CHUNK_END, CHUNK_SIZE, LAST_CHUNK, StreamBody, chunk_size};

/// Chunks that wait are sent together up to this size, in bytes.
const TOGETHER: usize = 16 * 1024;

impl<S: Socket> Corked<S> {
    /// The rest of the response in progress, where hyper has nothing to write and is not needed for it.
    /// It is to be dropped then. And whether the connection goes on after it, which it may or not.
    pub(in crate::server) fn take_over(&self, may_go_on: bool) -> Option<(StreamBody, bool)> {
        let rest = {
            let mut inner = self.lock();
            if !inner.idle {
                return None;
            }
            inner.rest.take()?
        };
        // Outside the lock: a response locks its connection, and not the other way round.
        let goes_on = rest.can_go_on && may_go_on;
        if !goes_on && !rest.may_be_last {
            return None;
        }
        let body = rest.into_body()?;
        let mut inner = self.lock();
        inner.taken_over = true;
        inner.gathered.shrink_to(KEEP);
        Some((body, goes_on))
    }

    /// Sends what comes, to the end of the response, whose last bytes may be gathered still. `false` where the
    /// response has failed.
    pub(in crate::server) fn poll_events(
        &self,
        body: &mut StreamBody,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        self.begin();
        loop {
            ready!(self.poll_uncork(context))?;
            let mut gathered = 0;
            while gathered < TOGETHER {
                match body.poll_chunk(context) {
                    Poll::Ready(Some(Ok(chunk))) => {
                        self.gather(&chunk);
                        gathered += chunk.len();
                    }
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Ok(false)),
                    Poll::Ready(None) => {
                        self.end_events();
                        return Poll::Ready(Ok(true));
                    }
                    Poll::Pending if gathered == 0 => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
        }
    }

    fn end_events(&self) {
        let mut inner = self.lock();
        inner.idle = false;
        inner.unflushed = true;
        inner.gathered.extend_from_slice(LAST_CHUNK);
        inner.taken_over = false;
        inner.last_event = None;
    }

    fn gather(&self, chunk: &[u8]) {
        let mut size = [0; CHUNK_SIZE];
        let mut inner = self.lock();
        inner.idle = false;
        inner.unflushed = true;
        inner
            .gathered
            .extend_from_slice(chunk_size(chunk.len(), &mut size));
        inner.gathered.extend_from_slice(chunk);
        inner.gathered.extend_from_slice(CHUNK_END);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::future::poll_fn;

    use tokio::{net::UnixStream, time::Instant};

    use super::*;
    use crate::body::Passed;

    #[tokio::test]
    async fn nothing_is_written_before_a_chunk_that_was_gathered() {
        let (socket, client) = UnixStream::pair().expect("a pair of sockets");
        let corked = Corked::new(socket);
        let uncork = || poll_fn(|context| corked.poll_uncork(context));
        uncork().await.expect("there is room");
        corked.gather(b"one");
        let write = || {
            corked
                .passage()
                .write_event(b"3\r\ntwo\r\n", Instant::now())
        };
        assert!(write() == Passed::Not);
        uncork().await.expect("there is room");
        assert!(write() == Passed::Whole);
        let mut received = [0; 16];
        client.readable().await.expect("it was sent");
        assert_eq!(client.try_read(&mut received).ok(), Some(16));
        assert_eq!(&received, b"3\r\none\r\n3\r\ntwo\r\n");
    }
}
