//! A part of a file that the kernel sends: its content never comes here.

use std::{
    fs::File,
    sync::{Arc, OnceLock},
};
#[cfg(target_os = "linux")]
use std::{io, os::fd::BorrowedFd};

#[cfg(target_os = "linux")]
use rustix::{
    fs::sendfile,
    io::{Errno, pread},
    net::{SendFlags, send},
};

#[cfg(target_os = "linux")]
use crate::pool::{self, CAPACITY};

/// An open regular file, shared by who reads it and who sends it.
pub(super) struct OpenFile {
    pub(super) file: File,
    /// The error number for which a part of it that was promised could not be sent.
    failure: OnceLock<i32>,
}

impl OpenFile {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            failure: OnceLock::new(),
        }
    }

    pub(super) fn failure(&self) -> Option<i32> {
        self.failure.get().copied()
    }
}

/// A range of a file, in the page cache when it was made.
// Elsewhere none is ever sent.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) struct FileRange {
    pub(super) file: Arc<OpenFile>,
    pub(super) position: u64,
    /// In bytes.
    pub(super) length: usize,
}

impl FileRange {
    #[cfg(target_os = "linux")]
    pub(crate) fn is_sent(&self) -> bool {
        self.length == 0
    }

    /// Sends at most `length` bytes of what is left of it; how many.
    ///
    /// # Errors
    /// Those of the socket; where the file cannot be read or has become shorter, that, which whoever reads the
    /// file hears of.
    #[cfg(target_os = "linux")]
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>, length: usize) -> io::Result<usize> {
        let mut position = self.position;
        let length = length.min(self.length);
        let sent = match sendfile(socket, &self.file.file, Some(&mut position), length) {
            // A file system that cannot: no file of it ever will.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.copy(socket, length),
            sent => sent,
        };
        match sent {
            // It has become shorter.
            Ok(0) => Err(self.fail(Errno::NODATA)),
            Ok(sent) => {
                self.position += sent as u64;
                self.length -= sent;
                Ok(sent)
            }
            Err(Errno::IO) => Err(self.fail(Errno::IO)),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn copy(&self, socket: BorrowedFd<'_>, length: usize) -> Result<usize, Errno> {
        let mut buffer = pool::buffer();
        let bytes = &mut buffer.as_mut_slice()[..length.min(CAPACITY)];
        let read = pread(&self.file.file, &mut *bytes, self.position)?;
        send(socket, &bytes[..read], SendFlags::NOSIGNAL)
    }

    #[cfg(target_os = "linux")]
    fn fail(&self, errno: Errno) -> io::Error {
        // The first is why.
        let _ = self.file.failure.set(errno.raw_os_error());
        errno.into()
    }
}
