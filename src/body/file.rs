//! A file on its way to hyper: read as hyper takes it.

use std::{
    fs::File,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::pool::{self, Buffer, CAPACITY};

/// How much is read from the page cache in one turn: other connections want theirs.
const TURN: usize = 512 * 1024;

/// A range of a regular file.
pub struct FileSource {
    file: Arc<File>,
    position: u64,
    /// How many bytes of the range are left.
    left: u64,
    /// A read that waits for the disk.
    waiting: Option<JoinHandle<io::Result<(Buffer, usize)>>>,
    turn: usize,
}

impl FileSource {
    pub(crate) fn new(file: File, position: u64, length: u64) -> Self {
        Self {
            file: Arc::new(file),
            position,
            left: length,
            waiting: None,
            turn: TURN,
        }
    }

    /// The next bytes; none at the end of the range or the file.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let length = usize::try_from(self.left).map_or(CAPACITY, |left| left.min(CAPACITY));
        if length == 0 {
            return Poll::Ready(Ok(Bytes::new()));
        }
        if self.waiting.is_none() {
            if self.turn == 0 {
                self.turn = TURN;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.turn = self.turn.saturating_sub(length);
            let mut buffer = pool::buffer();
            if let Some(read) = read_cached(&self.file, self.position, &mut buffer, length) {
                return Poll::Ready(Ok(self.took(buffer, read)));
            }
            let (file, position) = (Arc::clone(&self.file), self.position);
            self.waiting = Some(spawn_blocking(move || {
                let read = read_at(&file, position, &mut buffer.as_mut_slice()[..length])?;
                Ok((buffer, read))
            }));
        }
        let Some(waiting) = &mut self.waiting else {
            return Poll::Pending;
        };
        let read = ready!(Pin::new(waiting).poll(context));
        self.waiting = None;
        // It panics never, and is cancelled only where the runtime ends.
        let (buffer, read) = read.map_err(io::Error::other)??;
        Poll::Ready(Ok(self.took(buffer, read)))
    }

    fn took(&mut self, buffer: Buffer, length: usize) -> Bytes {
        self.position += length as u64;
        self.left = if length == 0 {
            0
        } else {
            self.left - length as u64
        };
        buffer.freeze(length)
    }
}

/// Reads what the page cache has; `None` where the disk has to be asked, or nobody can tell.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, position: u64, buffer: &mut Buffer, length: usize) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};

    let slice = io::IoSliceMut::new(&mut buffer.as_mut_slice()[..length]);
    preadv2(file, &mut [slice], position, ReadWriteFlags::NOWAIT).ok()
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: u64, _: &mut Buffer, _: usize) -> Option<usize> {
    None
}

fn read_at(file: &File, position: u64, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, bytes, position);
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, position);
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
