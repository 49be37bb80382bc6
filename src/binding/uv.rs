//! One handle of libuv's: a descriptor that Node's event loop watches for us.
//!
//! Node exports libuv's functions, Bun and Deno do not: they are looked for when they are first wanted.

use std::{
    ffi::{c_int, c_void},
    os::fd::RawFd,
    sync::OnceLock,
};

use libloading::os::unix::Library;
use napi::{Env, sys::uv_loop_s};

/// libuv's numbers (uv.h): the type of a handle that polls, and the event that it waits for.
const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

type Handle = *mut c_void;
type OnPoll = unsafe extern "C" fn(Handle, status: c_int, events: c_int);
type OnClose = unsafe extern "C" fn(Handle);

/// The functions of libuv that are needed (uv_handle_t and uv_poll_t in its documentation).
struct Uv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    set_data: unsafe extern "C" fn(Handle, *mut c_void) -> *mut c_void,
    data: unsafe extern "C" fn(Handle) -> *mut c_void,
    poll_init: unsafe extern "C" fn(*mut uv_loop_s, Handle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(Handle, c_int, OnPoll) -> c_int,
    close: unsafe extern "C" fn(Handle, OnClose),
    reference: unsafe extern "C" fn(Handle),
    unreference: unsafe extern "C" fn(Handle),
}

fn uv() -> Option<&'static Uv> {
    static UV: OnceLock<Option<Uv>> = OnceLock::new();
    UV.get_or_init(|| {
        let process = Library::this();
        // SAFETY: the types are those of uv.h, which have not changed since libuv 1.19; the functions
        // live as long as the process, whose own they are.
        #[expect(unsafe_code, reason = "functions by their names")]
        unsafe {
            Some(Uv {
                handle_size: *process.get(b"uv_handle_size\0").ok()?,
                set_data: *process.get(b"uv_handle_set_data\0").ok()?,
                data: *process.get(b"uv_handle_get_data\0").ok()?,
                poll_init: *process.get(b"uv_poll_init\0").ok()?,
                poll_start: *process.get(b"uv_poll_start\0").ok()?,
                close: *process.get(b"uv_close\0").ok()?,
                reference: *process.get(b"uv_ref\0").ok()?,
                unreference: *process.get(b"uv_unref\0").ok()?,
            })
        }
    })
    .as_ref()
}

/// Whether there is a libuv whose loop can watch a descriptor.
pub(super) fn is_available() -> bool {
    uv().is_some()
}

/// Watches a descriptor in an environment's event loop until it is dropped.
pub(super) struct Watch {
    uv: &'static Uv,
    handle: Handle,
}

/// What libuv needs until it has let go of the handle: its memory, and what is called.
struct Watched {
    /// The handle: a box of the size that libuv wants, aligned as `malloc` does. Raw, because a box says that
    /// nobody else points to what is in it.
    memory: *mut [u128],
    on_readable: Box<dyn Fn()>,
}

impl Watch {
    /// Calls `on_readable`, on the environment's thread and outside of any JavaScript, while `fd` is
    /// readable. Whatever `on_readable` owns lives until libuv has let go: so `fd` must be its own.
    /// `None` where there is no libuv, or it refuses.
    pub(super) fn start(env: &Env, fd: RawFd, on_readable: Box<dyn Fn()>) -> Option<Self> {
        let uv = uv()?;
        let event_loop = env.get_uv_event_loop().ok()?;
        // SAFETY: takes a number of uv.h's.
        #[expect(unsafe_code, reason = "libuv")]
        let size = unsafe { (uv.handle_size)(UV_POLL) };
        let memory = vec![0_u128; size.div_ceil(size_of::<u128>())].into_boxed_slice();
        let memory = Box::into_raw(memory);
        let handle: Handle = memory.cast();
        // SAFETY: `handle` is memory of the size and alignment wanted, which stays where it is and which only
        // libuv looks at until `closed` frees it; `event_loop` is the environment's, on whose thread this
        // runs.
        #[expect(unsafe_code, reason = "libuv")]
        let refused = unsafe { (uv.poll_init)(event_loop, handle, fd) } != 0;
        if refused {
            // SAFETY: made of a box above. A handle that was not initialised is nothing to libuv.
            #[expect(unsafe_code, reason = "libuv")]
            drop(unsafe { Box::from_raw(memory) });
            return None;
        }
        let watched = Box::new(Watched {
            memory,
            on_readable,
        });
        // SAFETY: the handle is initialised, and `watched` lives until `closed` is called for it, which
        // is after the last call of `readable`. Both happen on this thread. `poll_start` fails for no
        // handle that is open.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            (uv.set_data)(handle, Box::into_raw(watched).cast());
            (uv.poll_start)(handle, UV_READABLE, readable);
        }
        Some(Self { uv, handle })
    }

    /// Whether it keeps the event loop, and so the process, alive.
    pub(super) fn set_ref(&self, referenced: bool) {
        // SAFETY: the handle is open until `self` is dropped, and this is its loop's thread: `self` can
        // be sent to no other, for what it points to.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            if referenced {
                (self.uv.reference)(self.handle);
            } else {
                (self.uv.unreference)(self.handle);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: once for an open handle, on its loop's thread. From here on `readable` is not called;
        // the loop calls `closed` in its next turn, which an environment that ends takes as well.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            (self.uv.close)(self.handle, closed);
        }
    }
}

/// Called by libuv. An error (`status`) is found by whoever reads the descriptor.
#[expect(
    unsafe_code,
    reason = "whoever else called it would have no handle of ours"
)]
unsafe extern "C" fn readable(handle: Handle, _status: c_int, _events: c_int) {
    let Some(uv) = uv() else { return };
    // SAFETY: `start` set it, and `closed`, which frees it, is not called before this has returned.
    let watched = unsafe { &*(uv.data)(handle).cast::<Watched>() };
    (watched.on_readable)();
}

/// Called by libuv when it has let go of the handle.
#[expect(unsafe_code, reason = "as above")]
unsafe extern "C" fn closed(handle: Handle) {
    let Some(uv) = uv() else { return };
    // SAFETY: `start` made both of boxes, and this is the last that is heard of the handle: libuv does not
    // touch it after this call.
    unsafe {
        let watched = Box::from_raw((uv.data)(handle).cast::<Watched>());
        drop(Box::from_raw(watched.memory));
    }
}
