//! The way past hyper: what is written while it has nothing to write.

use std::{
    io::IoSlice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::{Inner, Socket};
use crate::body::{Abort, Drained, FileRange, LARGE, Passage, Passed, Rest};

impl<S: Socket> Abort for Mutex<Inner<S>> {
    fn abort(&self) {
        let mut inner = lock(self);
        inner.aborted = true;
        inner.idle = false;
        inner.stream.inner().abort();
    }
}

impl<S: Socket> Passage for Mutex<Inner<S>> {
    fn write(&self, bytes: &[u8]) -> Passed {
        lock(self).pass(bytes)
    }

    fn write_large(&self, slices: [&[u8]; 3], drained: Arc<dyn Drained>) -> Passed {
        let mut inner = lock(self);
        if !inner.idle {
            return Passed::Not;
        }
        let all = slices.map(IoSlice::new);
        let Some(taken) = inner.stream.inner_mut().write_large_now(&all) else {
            return Passed::Not;
        };
        inner.keep_rest(slices, taken);
        if inner.gathered.is_empty() {
            return Passed::Whole;
        }
        inner.idle = false;
        inner.drained = Some(drained);
        Passed::Partly
    }

    fn sends_files(&self) -> bool {
        let inner = lock(self);
        inner.stream.inner().sends_files() && !inner.taken_over
    }

    fn send_file(&self, range: FileRange) {
        lock(self).files.push_back(range);
    }

    fn offer_rest(&self, rest: Rest) {
        lock(self).rest = Some(rest);
    }

    fn is_taken_over(&self) -> bool {
        lock(self).taken_over
    }

    fn write_event(&self, bytes: &[u8], now: Instant) -> Passed {
        let mut inner = lock(self);
        if bytes.len() > LARGE {
            inner.idle = false;
            return Passed::Not;
        }
        let passed = inner.pass(bytes);
        if passed != Passed::Not {
            inner.last_event = Some(now);
        }
        passed
    }

    fn last_event(&self) -> Option<Instant> {
        lock(self).last_event
    }
}

fn lock<S>(shared: &Mutex<Inner<S>>) -> MutexGuard<'_, Inner<S>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Socket> Inner<S> {
    fn pass(&mut self, bytes: &[u8]) -> Passed {
        if !self.idle {
            return Passed::Not;
        }
        let written = self.stream.inner_mut().write_now(bytes);
        if written.flushed && written.taken == bytes.len() {
            return Passed::Whole;
        }
        self.gathered.extend_from_slice(&bytes[written.taken..]);
        // TLS may take the rest, too, and hold it back.
        self.unflushed = true;
        self.idle = false;
        Passed::Partly
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::future::poll_fn;

    use tokio::{io::AsyncReadExt, net::UnixStream};

    use super::{super::Corked, *};

    struct Nobody;

    impl Drained for Nobody {
        fn drained(&self) {}
    }

    /// What follows is not written before what the socket had no room for, though it has by then.
    async fn keeps_its_place(write: impl Fn(&dyn Passage, &[u8]) -> Passed) {
        let (socket, mut client) = UnixStream::pair().expect("a pair of sockets");
        let corked = Corked::new(socket);
        poll_fn(|context| corked.poll_uncork(context))
            .await
            .expect("there is nothing to send");
        let passage = corked.passage();
        let mut sent = Vec::new();
        loop {
            let bytes = vec![sent.len() as u8; 50_000];
            let passed = write(&*passage, &bytes);
            assert!(passed != Passed::Not);
            sent.extend(bytes);
            if passed == Passed::Partly {
                break;
            }
        }
        let mut received = vec![0; sent.len()];
        let (first, rest) = received.split_at_mut(sent.len() - 50_000);
        client.read_exact(first).await.expect("it was sent");
        let now = Instant::now();
        assert!(passage.write(b"later") == Passed::Not);
        assert!(passage.write_event(b"later", now) == Passed::Not);
        assert!(passage.write_large([b"", b"later", b""], Arc::new(Nobody)) == Passed::Not);
        let uncork = poll_fn(|context| corked.poll_uncork(context));
        let (uncorked, read) = tokio::join!(uncork, client.read_exact(rest));
        assert!(uncorked.is_ok() && read.is_ok() && received == sent);
        assert!(write(&*passage, b"later") == Passed::Whole);
    }

    #[tokio::test]
    async fn what_follows_a_chunk_in_part_waits() {
        keeps_its_place(|passage, bytes| passage.write(bytes)).await;
    }

    #[tokio::test]
    async fn what_follows_an_event_in_part_waits() {
        keeps_its_place(|passage, bytes| passage.write_event(bytes, Instant::now())).await;
    }

    #[tokio::test]
    async fn what_follows_a_large_chunk_in_part_waits() {
        let large = |passage: &dyn Passage, bytes: &[u8]| {
            passage.write_large([b"", bytes, b""], Arc::new(Nobody))
        };
        keeps_its_place(large).await;
    }

    #[tokio::test]
    async fn what_follows_an_event_that_is_to_wait_waits() {
        let (socket, _client) = UnixStream::pair().expect("a pair of sockets");
        let corked = Corked::new(socket);
        poll_fn(|context| corked.poll_uncork(context))
            .await
            .expect("there is nothing to send");
        let passage = corked.passage();
        let now = Instant::now();
        assert!(passage.write_event(b"before", now) == Passed::Whole);
        assert!(passage.write_event(&[0; LARGE + 1], now) == Passed::Not);
        assert!(passage.write_event(b"after", now) == Passed::Not);
    }
}
