//! Handles of libuv's: a descriptor that Node's event loop watches for us, and a way to have it call.
//!
//! Node exports libuv's functions, Bun and Deno do not: they are looked for when they are first wanted.

use std::{
    ffi::{c_int, c_void},
    os::fd::RawFd,
    sync::OnceLock,
};

use libloading::os::unix::Library;
use napi::{Env, sys::uv_loop_s};

/// libuv's numbers (uv.h): the types of handles that others have call and that poll, and the event that is waited for.
const UV_ASYNC: c_int = 1;
const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

type Handle = *mut c_void;
type OnPoll = unsafe extern "C" fn(Handle, status: c_int, events: c_int);
type OnAsync = unsafe extern "C" fn(Handle);
type OnClose = unsafe extern "C" fn(Handle);

/// The functions of libuv that are needed (uv_handle_t, uv_async_t and uv_poll_t in its documentation).
struct Uv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    set_data: unsafe extern "C" fn(Handle, *mut c_void) -> *mut c_void,
    data: unsafe extern "C" fn(Handle) -> *mut c_void,
    async_init: unsafe extern "C" fn(*mut uv_loop_s, Handle, OnAsync) -> c_int,
    async_send: unsafe extern "C" fn(Handle) -> c_int,
    poll_init: unsafe extern "C" fn(*mut uv_loop_s, Handle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(Handle, c_int, OnPoll) -> c_int,
    poll_stop: unsafe extern "C" fn(Handle) -> c_int,
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
                async_init: *process.get(b"uv_async_init\0").ok()?,
                async_send: *process.get(b"uv_async_send\0").ok()?,
                poll_init: *process.get(b"uv_poll_init\0").ok()?,
                poll_start: *process.get(b"uv_poll_start\0").ok()?,
                poll_stop: *process.get(b"uv_poll_stop\0").ok()?,
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

/// A handle of an environment's event loop, closed when this is dropped, on that loop's thread.
struct Owned {
    uv: &'static Uv,
    handle: Handle,
}

/// What libuv needs until it has let go of the handle: its memory, and what is called.
struct Called {
    /// The handle: a box of the size that libuv wants, aligned as `malloc` does. Raw, because a box says that
    /// nobody else points to what is in it.
    memory: *mut [u128],
    callback: Box<dyn Fn()>,
}

impl Owned {
    /// A handle of `kind`, made by `init`, that `callback` belongs to. `None` where there is no libuv, or it refuses.
    fn new(
        env: &Env,
        kind: c_int,
        init: impl FnOnce(&Uv, *mut uv_loop_s, Handle) -> c_int,
        callback: Box<dyn Fn()>,
    ) -> Option<Self> {
        let uv = uv()?;
        let event_loop = env.get_uv_event_loop().ok()?;
        // SAFETY: takes a number of uv.h's.
        #[expect(unsafe_code, reason = "libuv")]
        let size = unsafe { (uv.handle_size)(kind) };
        let memory = vec![0_u128; size.div_ceil(size_of::<u128>())].into_boxed_slice();
        let memory = Box::into_raw(memory);
        let handle: Handle = memory.cast();
        if init(uv, event_loop, handle) != 0 {
            // SAFETY: made of a box above. A handle that was not initialised is nothing to libuv.
            #[expect(unsafe_code, reason = "libuv")]
            drop(unsafe { Box::from_raw(memory) });
            return None;
        }
        let called = Box::new(Called { memory, callback });
        // SAFETY: the handle is initialised, and `called` lives until `closed` is called for it, which is after
        // the last call of `call`. Both happen on this thread.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            (uv.set_data)(handle, Box::into_raw(called).cast());
        }
        Some(Self { uv, handle })
    }

    /// Whether it keeps the event loop, and so the process, alive.
    fn set_ref(&self, referenced: bool) {
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

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: once for an open handle, on its loop's thread. From here on nothing is called but `closed`,
        // by the loop's next turn, which an environment that ends takes as well.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            (self.uv.close)(self.handle, closed);
        }
    }
}

/// Watches a descriptor in an environment's event loop until it is dropped.
pub(super) struct Watch(Owned);

impl Watch {
    /// Calls `on_readable`, on the environment's thread and outside of any JavaScript, while `fd` is
    /// readable. Whatever `on_readable` owns lives until libuv has let go: so `fd` must be its own.
    /// `None` where there is no libuv, or it refuses.
    pub(super) fn start(env: &Env, fd: RawFd, on_readable: Box<dyn Fn()>) -> Option<Self> {
        let init = |uv: &Uv, event_loop, handle| {
            // SAFETY: `handle` is memory of the size and alignment wanted, which stays where it is and which only
            // libuv looks at until `closed` frees it; `event_loop` is the environment's, on whose thread this
            // runs.
            #[expect(unsafe_code, reason = "libuv")]
            unsafe {
                (uv.poll_init)(event_loop, handle, fd)
            }
        };
        let watch = Self(Owned::new(env, UV_POLL, init, on_readable)?);
        watch.resume();
        Some(watch)
    }

    /// Watches on, where it does not.
    pub(super) fn resume(&self) {
        // SAFETY: the handle is open, and this is its loop's thread. It fails for no handle that is open.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            (self.0.uv.poll_start)(self.0.handle, UV_READABLE, readable);
        }
    }

    /// Leaves the descriptor alone until it is to resume.
    pub(super) fn pause(&self) {
        // SAFETY: as in `resume`.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            (self.0.uv.poll_stop)(self.0.handle);
        }
    }

    /// Whether it keeps the event loop, and so the process, alive.
    pub(super) fn set_ref(&self, referenced: bool) {
        self.0.set_ref(referenced);
    }
}

/// Has an environment's event loop call, until it is dropped.
pub(super) struct Bell(Owned);

impl Bell {
    /// Calls `on_ring`, on the environment's thread and outside of any JavaScript, after each `Ringer::ring`;
    /// once after several. `None` where there is no libuv, or it refuses.
    pub(super) fn new(env: &Env, on_ring: Box<dyn Fn()>) -> Option<Self> {
        let init = |uv: &Uv, event_loop, handle| {
            // SAFETY: as in `Watch::start`.
            #[expect(unsafe_code, reason = "libuv")]
            unsafe {
                (uv.async_init)(event_loop, handle, rung)
            }
        };
        Owned::new(env, UV_ASYNC, init, on_ring).map(Self)
    }

    /// What another thread rings with. It must ring no more when the bell is dropped.
    pub(super) fn ringer(&self) -> Ringer {
        Ringer(self.0.uv, self.0.handle)
    }

    /// Whether it keeps the event loop, and so the process, alive.
    pub(super) fn set_ref(&self, referenced: bool) {
        self.0.set_ref(referenced);
    }
}

/// Rings a bell, from any thread.
pub(super) struct Ringer(&'static Uv, Handle);

// SAFETY: `uv_async_send` is the one function of libuv's that any thread may call, and all that is done with the handle.
#[expect(unsafe_code, reason = "a handle is a pointer")]
unsafe impl Send for Ringer {}
// SAFETY: as above: several threads may call it at a time.
#[expect(unsafe_code, reason = "as above")]
unsafe impl Sync for Ringer {}

impl Ringer {
    pub(super) fn ring(&self) {
        // SAFETY: the handle is open: who drops the bell has ended those who ring before.
        #[expect(unsafe_code, reason = "libuv")]
        unsafe {
            (self.0.async_send)(self.1);
        }
    }
}

/// Called by libuv. An error (`status`) is found by whoever reads the descriptor.
#[expect(
    unsafe_code,
    reason = "whoever else called it would have no handle of ours"
)]
unsafe extern "C" fn readable(handle: Handle, _status: c_int, _events: c_int) {
    // SAFETY: a handle of ours, by libuv.
    unsafe { rung(handle) };
}

/// Called by libuv.
#[expect(unsafe_code, reason = "as above")]
unsafe extern "C" fn rung(handle: Handle) {
    let Some(uv) = uv() else { return };
    // SAFETY: `Owned::new` set it, and `closed`, which frees it, is not called before this has returned.
    let called = unsafe { &*(uv.data)(handle).cast::<Called>() };
    (called.callback)();
}

/// Called by libuv when it has let go of the handle.
#[expect(unsafe_code, reason = "as above")]
unsafe extern "C" fn closed(handle: Handle) {
    let Some(uv) = uv() else { return };
    // SAFETY: `Owned::new` made both of boxes, and this is the last that is heard of the handle: libuv does not
    // touch it after this call.
    unsafe {
        let called = Box::from_raw((uv.data)(handle).cast::<Called>());
        drop(Box::from_raw(called.memory));
    }
}
