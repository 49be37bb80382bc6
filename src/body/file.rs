//! A file on its way to hyper: sent by the kernel where it can be, and read as hyper takes it where not.

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

use super::{
    FileRange, Passage,
    file_range::OpenFile,
    placeholder::{self, LARGEST_OF_FILE},
};
use crate::pool::{self, Buffer, CAPACITY};

/// How much is taken from the page cache in one turn, in bytes: other connections want theirs.
const TURN: usize = 1024 * 1024;
/// How far apart it is looked whether the page cache has a range, in bytes: what the kernel reads ahead, usually.
const LOOK_EVERY: usize = 128 * 1024;

/// A range of a regular file.
pub struct FileSource {
    file: Arc<OpenFile>,
    position: u64,
    /// How many bytes of the range are left.
    left: u64,
    /// Where the content ended, by the file's size, when it was handed over. What the kernel makes up has none, or
    /// less than it claims.
    end: u64,
    /// A read that waits for the disk.
    waiting: Option<JoinHandle<io::Result<Fetched>>>,
    /// How many of the next bytes the page cache was given, beside what was read.
    ahead: usize,
    turn: usize,
}

/// What was read from the disk.
struct Fetched {
    buffer: Buffer,
    length: usize,
    /// How much behind it the page cache has now.
    ahead: usize,
}

impl FileSource {
    pub(crate) fn new(file: File, position: u64, length: u64) -> Self {
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        Self {
            file: Arc::new(OpenFile::new(file)),
            position,
            left: length,
            end: size.min(position.saturating_add(length)),
            waiting: None,
            ahead: 0,
            turn: TURN,
        }
    }

    /// The error number for which a part that was handed over could not be sent.
    pub(super) fn failure(&self) -> Option<i32> {
        self.file.failure()
    }

    /// The next bytes, or what stands for them where `passage` sends them; none at the end of the range or the
    /// file. Where the file has become shorter its end is an error: what was sent is neither the old nor the new.
    pub(super) fn poll_next(
        &mut self,
        passage: Option<&dyn Passage>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
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
            if let Some(placeholder) = passage.and_then(|passage| self.hand_over(passage)) {
                return Poll::Ready(Ok(placeholder));
            }
            self.turn = self.turn.saturating_sub(length);
            let mut buffer = pool::buffer();
            let bytes = &mut buffer.as_mut_slice()[..length];
            if let Some(read) = read_cached(&self.file.file, self.position, bytes) {
                return Poll::Ready(self.took(buffer, read));
            }
            let (file, position) = (Arc::clone(&self.file), self.position);
            let is_sent = passage.is_some();
            self.waiting = Some(spawn_blocking(move || {
                let length = read_at(&file.file, position, &mut buffer.as_mut_slice()[..length])?;
                let ahead = match is_sent {
                    true => fetch(&file.file, position + length as u64, LARGEST_OF_FILE),
                    false => 0,
                };
                Ok(Fetched {
                    buffer,
                    length,
                    ahead,
                })
            }));
        }
        let Some(waiting) = &mut self.waiting else {
            return Poll::Pending;
        };
        let read = ready!(Pin::new(waiting).poll(context));
        self.waiting = None;
        // It panics never, and is cancelled only where the runtime ends.
        let fetched = read.map_err(io::Error::other)??;
        self.ahead = fetched.ahead;
        Poll::Ready(self.took(fetched.buffer, fetched.length))
    }

    /// Has the kernel send what it has at hand; what stands for that.
    fn hand_over(&mut self, passage: &dyn Passage) -> Option<Bytes> {
        let size = self.file.file.metadata().ok()?.len();
        let left = self.left.min(size.checked_sub(self.position)?);
        let left = usize::try_from(left).map_or(LARGEST_OF_FILE, |left| left.min(LARGEST_OF_FILE));
        let length = match left.min(self.ahead) {
            0 => cached(&self.file.file, self.position, left),
            ahead => ahead,
        };
        if length == 0 {
            return None;
        }
        let range = FileRange {
            file: Arc::clone(&self.file),
            position: self.position,
            length,
        };
        passage.send_file(range);
        self.ahead = self.ahead.saturating_sub(length);
        self.position += length as u64;
        self.left -= length as u64;
        self.turn = self.turn.saturating_sub(length);
        Some(placeholder::of_file(length))
    }

    fn took(&mut self, buffer: Buffer, length: usize) -> io::Result<Bytes> {
        if length == 0 {
            if self.position < self.end && self.file.file.metadata()?.len() < self.end {
                return Err(cut_off());
            }
            self.left = 0;
        }
        self.position += length as u64;
        self.left -= length as u64;
        Ok(buffer.freeze(length))
    }
}

/// A file has become shorter.
#[cfg(unix)]
fn cut_off() -> io::Error {
    rustix::io::Errno::NODATA.into()
}

#[cfg(not(unix))]
fn cut_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// How much of a range of `length` bytes the page cache has, as far as a few of them tell: it is filled in order.
fn cached(file: &File, position: u64, length: usize) -> usize {
    known(length, |offset| {
        read_cached(file, position + offset as u64, &mut [0]) == Some(1)
    })
}

/// Has the page cache have a range of `most` bytes, up to the file's end; how much of it that is.
fn fetch(file: &File, position: u64, most: usize) -> usize {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let left = size.saturating_sub(position);
    let length = usize::try_from(left).map_or(most, |left| left.min(most));
    #[cfg(target_os = "linux")]
    {
        use std::num::NonZeroU64;

        use rustix::fs::{Advice, fadvise};

        // The disk is told of all at once; where it cannot be, the reads below do it piece by piece.
        let _ = fadvise(
            file,
            position,
            NonZeroU64::new(length as u64),
            Advice::WillNeed,
        );
    }
    known(length, |offset| {
        matches!(read_at(file, position + offset as u64, &mut [0]), Ok(1))
    })
}

/// How much of `length` bytes there is, where every so many are looked at, in order.
fn known(length: usize, is_there: impl Fn(usize) -> bool) -> usize {
    let mut known = 0;
    if length > 0 && is_there(0) {
        while known < length {
            let next = length.min(known + LOOK_EVERY);
            if !is_there(next - 1) {
                break;
            }
            known = next;
        }
    }
    known
}

/// Reads what the page cache has; `None` where the disk has to be asked, or nobody can tell.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, position: u64, bytes: &mut [u8]) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};

    let slice = io::IoSliceMut::new(bytes);
    preadv2(file, &mut [slice], position, ReadWriteFlags::NOWAIT).ok()
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: u64, _: &mut [u8]) -> Option<usize> {
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
