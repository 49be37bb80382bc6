//! What crosses between JavaScript and a thread that does a server's I/O.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use napi::bindgen_prelude::{Buffer, BufferSlice, Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;
use slab::Slab;

use super::{server::Running, transport::Transport};
use crate::{
    Direct,
    bridge::{Bridge, Taken},
};

thread_local! {
    /// Those of this thread's JavaScript, by their numbers.
    static BRIDGES: RefCell<Slab<Place>> = const { RefCell::new(Slab::new()) };
}

/// Where a bridge is found.
struct Place {
    running: Rc<RefCell<Option<Running>>>,
    index: usize,
}

/// One of a server's bridges, for each time that it listens: a thread that does its I/O is at the other end.
/// What crosses does so with functions that are told its number: a method of a class costs several times as
/// much to call.
#[napi]
pub struct BindingBridge {
    key: usize,
}

impl BindingBridge {
    pub(super) fn new(running: Rc<RefCell<Option<Running>>>, index: usize) -> Self {
        let place = Place { running, index };
        let key = BRIDGES.with_borrow_mut(|bridges| bridges.insert(place));
        Self { key }
    }
}

#[napi]
impl BindingBridge {
    /// Its own while it lives.
    #[napi(getter)]
    pub fn number(&self) -> u32 {
        self.key as u32
    }
}

impl Drop for BindingBridge {
    fn drop(&mut self) {
        // Where the thread ends they have been dropped.
        let place = BRIDGES.try_with(|bridges| bridges.borrow_mut().try_remove(self.key));
        // Outside the borrow: a server may end with it.
        drop(place);
    }
}

/// `None` where the server does not run.
fn with<T>(number: u32, work: impl FnOnce(&Arc<Bridge>, &Transport) -> T) -> Option<T> {
    let (running, index) = BRIDGES.with_borrow(|bridges| {
        let place = bridges.get(number as usize)?;
        Some((Rc::clone(&place.running), place.index))
    })?;
    let running = running.borrow();
    let running = running.as_ref()?;
    let bridge = running.bridges.get(index)?;
    Some(work(bridge, &running.transport))
}

/// Takes the next batch. `words[0]` says what: 0 nothing, 1 a batch (`words[1]` its words from
/// index 4 on, `words[2]` bytes of its text, `words[3]` whether there is another), 2 too little
/// room (`words[1]` words and `words[2]` bytes are needed). Large content is returned.
#[napi]
pub fn take(
    bridge: u32,
    mut words: Uint32ArraySlice<'_>,
    mut bytes: BufferSlice<'_>,
) -> Option<Vec<Buffer>> {
    // SAFETY: nobody else refers to these words until this returns. JavaScript waits, and nothing
    // here calls it; `lib/bridge/inbox.ts` made the array, of memory that no other thread shares
    // and `bytes` is no part of.
    #[expect(unsafe_code, reason = "napi has no safe way to write to a Uint32Array")]
    let words = unsafe { words.as_mut() };
    let [what, count, size, more, records @ ..] = words else {
        return None;
    };
    let mut apart = Vec::new();
    let taken = with(bridge, |bridge, _| {
        bridge.take(records, &mut bytes, &mut apart)
    });
    match taken.unwrap_or(Taken::Empty) {
        Taken::Empty => *what = 0,
        Taken::Batch {
            words,
            text,
            more: another,
        } => {
            (*what, *count, *size, *more) = (1, words as u32, text as u32, another.into());
        }
        Taken::NeedsRoom { words, bytes } => {
            (*what, *count, *size) = (2, words as u32 + 4, bytes as u32);
        }
    }
    if apart.is_empty() {
        return None;
    }
    Some(
        apart
            .into_iter()
            .map(|content| Vec::from(content).into())
            .collect(),
    )
}

/// Hands over answers: `count` words, `textLength` bytes of `text`, `byteLength` of `bytes`, and
/// `buffers`, which may be written to again once this returns. With `deliver`, they and what was handed over
/// before are sent.
#[napi]
#[allow(
    clippy::too_many_arguments,
    reason = "an object of them would cost more than the call"
)]
pub fn answer(
    bridge: u32,
    words: &[u32],
    count: u32,
    text: &[u8],
    text_length: u32,
    bytes: &[u8],
    byte_length: u32,
    deliver: bool,
    buffers: Option<Vec<Uint8ArraySlice<'_>>>,
) {
    let words = words.get(..count as usize).unwrap_or(words);
    let text = text.get(..text_length as usize).unwrap_or(text);
    let bytes = bytes.get(..byte_length as usize).unwrap_or(bytes);
    let buffers = buffers.iter().flatten().map(|buffer| &**buffer);
    with(bridge, |bridge, transport| {
        bridge.answer(words, text, bytes, buffers);
        if deliver {
            transport.deliver(bridge);
        }
    });
}

/// Writes a large chunk of the streamed response of `slot` and `serial` to its socket, where the
/// `sent` bytes handed over before it have been written. 0: it has to be handed over; 1: written;
/// 2: written in part, and `DRAINED` tells of the rest. It may be written to again once this
/// returns.
#[napi]
pub fn write(bridge: u32, slot: u32, serial: u32, chunk: &[u8], sent: f64) -> u32 {
    match with(bridge, |bridge, _| {
        bridge.write(slot, serial, chunk, sent as u64)
    }) {
        None | Some(Direct::Not) => 0,
        Some(Direct::Whole) => 1,
        Some(Direct::Partly) => 2,
    }
}

/// Hands over `length` bytes of a file from `position` on, which end the streamed response of
/// `slot` and `serial`. The file may be closed once this returns. False where it is not a
/// regular file, or the platform has no file descriptors.
#[napi]
pub fn answer_with_file(
    bridge: u32,
    slot: u32,
    serial: u32,
    fd: i32,
    position: f64,
    length: f64,
) -> bool {
    let Some(file) = regular_file(fd) else {
        return false;
    };
    // Whole numbers up to 2^53, and infinity, which is the largest there is.
    let (position, length) = (position as u64, length as u64);
    with(bridge, |bridge, _| {
        bridge.answer_with_file(slot, serial, file, position, length)
    })
    .is_some()
}

/// The file behind a descriptor of JavaScript's, as a descriptor of our own.
#[cfg(unix)]
fn regular_file(fd: i32) -> Option<std::fs::File> {
    use std::os::fd::BorrowedFd;

    if fd < 0 {
        return None;
    }
    // SAFETY: not -1, and open until this returns: `lib/stream.ts` took it from a `fs.ReadStream` that
    // nobody has destroyed, and JavaScript waits. An application that closed it behind the stream's
    // back gets no file, or that of whoever opened one since, as from Node; no memory is at stake.
    #[expect(unsafe_code, reason = "JavaScript knows a file by its number only")]
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let file = std::fs::File::from(borrowed.try_clone_to_owned().ok()?);
    file.metadata().ok()?.is_file().then_some(file)
}

#[cfg(not(unix))]
fn regular_file(_: i32) -> Option<std::fs::File> {
    None
}
