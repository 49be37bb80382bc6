//! A server in Node's own event loop: one thread for I/O and JavaScript.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::AsRawFd,
    ptr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use napi::{
    Env, JsValue, Status,
    bindgen_prelude::{Error, Function, FunctionRef, Result},
    sys,
};

use super::{FILE_THREADS, OnDrop, uv::Watch};
use crate::{Server, Shutdown, bridge::Bridge, reactor::Reactor};

/// How many batches JavaScript is given before the rest of the event loop has its turn.
const BATCHES: usize = 4;

/// A server whose sockets Node's event loop watches.
pub(super) struct InLoop {
    engine: Rc<Engine>,
    watch: RefCell<Option<Watch>>,
}

/// What runs when the event loop has something for it.
struct Engine {
    reactor: Reactor,
    shutdown: Shutdown,
    /// JavaScript has something to take.
    work: Arc<AtomicBool>,
    /// The event loop has called, and looks for work when JavaScript returns.
    called: Cell<bool>,
    env: Env,
    /// Taken when the server stops: it cannot be let go of when the environment has ended.
    on_work: RefCell<Option<FunctionRef<(), ()>>>,
}

impl InLoop {
    /// Serves on `env`'s thread. `on_work` is called when the bridge has something to take.
    ///
    /// # Errors
    /// The system is out of descriptors or threads, or the event loop cannot be had.
    pub(super) fn start(
        env: &Env,
        on_work: &Function<'_, (), ()>,
        make_server: impl FnOnce(&Arc<Bridge>) -> Server<Arc<Bridge>>,
    ) -> Result<(Self, Arc<Bridge>)> {
        let failed = |error: io::Error| Error::from_reason(error.to_string());
        let reactor = Reactor::new(FILE_THREADS).map_err(failed)?;
        let work = Arc::new(AtomicBool::new(false));
        let bridge = {
            let (work, turns) = (Arc::clone(&work), reactor.turns());
            Bridge::new(Box::new(move || {
                work.store(true, Ordering::Relaxed);
                turns.ensure();
            }))
        };
        let server = make_server(&bridge);
        let engine = Rc::new(Engine {
            shutdown: server.shutdown(),
            reactor,
            work,
            called: Cell::new(false),
            env: *env,
            on_work: RefCell::new(Some(on_work.create_ref()?)),
        });
        engine.spawn(server, &bridge);
        let called = Rc::clone(&engine);
        let fd = engine.reactor.as_raw_fd();
        let watch = Watch::start(env, fd, Box::new(move || called.on_readable()));
        let watch = watch.ok_or_else(|| {
            Error::new(
                Status::GenericFailure,
                "the event loop cannot be had".to_owned(),
            )
        })?;
        let in_loop = Self {
            engine,
            watch: RefCell::new(Some(watch)),
        };
        Ok((in_loop, bridge))
    }

    /// Delivers what JavaScript has handed over.
    pub(super) fn deliver(&self, bridge: &Bridge) {
        self.engine.reactor.run_after(|| bridge.deliver());
        self.engine.look_for_work();
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.engine.shutdown
    }

    /// Waits, once a shutdown has begun, until no connection is accepted any more.
    pub(super) fn wait_refusing(&self) {
        while !self.engine.shutdown.refuses() {
            self.engine.reactor.turn(None);
        }
        self.engine.look_for_work();
    }

    /// Ends what is left of the server, at once.
    pub(super) fn stop(&self) {
        drop(self.watch.take());
        self.engine.reactor.stop();
        drop(self.engine.on_work.take());
    }

    pub(super) fn set_ref(&self, referenced: bool) {
        if let Some(watch) = &*self.watch.borrow() {
            watch.set_ref(referenced);
        }
    }
}

impl Engine {
    fn spawn(&self, server: Server<Arc<Bridge>>, bridge: &Arc<Bridge>) {
        let run = Arc::clone(bridge);
        self.reactor.spawn(async move { run.run().await });
        let bridge = Arc::clone(bridge);
        self.reactor.spawn(async move {
            let _closed = OnDrop(|| bridge.closed());
            if let Err(error) = server.run().await {
                eprintln!("wapix: the listening socket failed: {error}");
            }
        });
    }

    /// The event loop calls: does the I/O there is, and has JavaScript take what came of it.
    fn on_readable(&self) {
        self.called.set(true);
        self.reactor.turn(Some(Duration::ZERO));
        for _ in 0..BATCHES {
            if !self.work.swap(false, Ordering::Relaxed) {
                break;
            }
            self.call_javascript();
        }
        self.called.set(false);
        self.look_for_work();
    }

    /// Where there is work, and the event loop does not look for it anyway, has it call.
    fn look_for_work(&self) {
        if !self.called.get() && self.work.load(Ordering::Relaxed) {
            self.reactor.wake();
        }
    }

    /// Runs JavaScript from the event loop: with what it leaves for `process.nextTick` and promises.
    fn call_javascript(&self) {
        let mut scope = ptr::null_mut();
        let env = self.env.raw();
        // SAFETY: the event loop runs on the environment's thread, and calls for as long as the watch
        // lives, which the environment's end takes away. The scope is closed below.
        #[expect(unsafe_code, reason = "napi has scopes for JavaScript's calls only")]
        let opened = unsafe { sys::napi_open_handle_scope(env, &mut scope) };
        if opened != sys::Status::napi_ok {
            return;
        }
        // JavaScript may stop the server: nothing is borrowed while it runs.
        let on_work = match &*self.on_work.borrow() {
            Some(on_work) => on_work.borrow_back(&self.env).ok(),
            None => None,
        };
        if let (Ok(global), Some(on_work)) = (self.env.get_global(), on_work) {
            let mut thrown = ptr::null_mut();
            // SAFETY: both values are of the scope just opened, as what was thrown is; the function takes
            // no arguments, and does not throw. What `process.nextTick` and promises ran may have: Node-API
            // catches it, and here it becomes the uncaught exception that it is.
            #[expect(unsafe_code, reason = "napi has no safe way to make a callback")]
            unsafe {
                let status = sys::napi_make_callback(
                    env,
                    ptr::null_mut(),
                    global.raw(),
                    on_work.raw(),
                    0,
                    ptr::null(),
                    ptr::null_mut(),
                );
                if status == sys::Status::napi_pending_exception
                    && sys::napi_get_and_clear_last_exception(env, &mut thrown)
                        == sys::Status::napi_ok
                {
                    sys::napi_fatal_exception(env, thrown);
                }
            }
        }
        // SAFETY: opened above, and nothing of it is used any more.
        #[expect(unsafe_code, reason = "as above")]
        unsafe {
            sys::napi_close_handle_scope(env, scope);
        }
    }
}
