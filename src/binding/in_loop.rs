//! A server in Node's own event loop: one thread for I/O and JavaScript, or two that relieve each other of the I/O.

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
    time::{Duration, Instant},
};

use napi::{
    Env, JsValue, Status,
    bindgen_prelude::{Error, Function, FunctionRef, Result},
    sys,
};

use super::{
    FILE_THREADS, OnDrop,
    busy_poll::{BusyPoll, LINGER, STAY},
    uv::{Bell, Watch},
};
use crate::{
    Server, Shutdown,
    bridge::Bridge,
    reactor::{Reactor, Relief},
};

/// How many batches JavaScript is given before the rest of the event loop has its turn.
const BATCHES: usize = 4;

/// A server whose sockets Node's event loop watches, and a thread beside it where that is to be relieved.
pub(super) struct InLoop(Rc<Engine>);

/// What runs when the event loop has something for it.
struct Engine {
    reactor: Arc<Reactor>,
    shutdown: Shutdown,
    /// JavaScript has something to take.
    work: Arc<AtomicBool>,
    /// The event loop has called, and looks for work when JavaScript returns.
    called: Cell<bool>,
    /// How long answers have been delivered since it called.
    delivering: Cell<Duration>,
    env: Env,
    /// Taken when the server stops, as what follows is: it cannot be let go of when the environment has ended.
    on_work: RefCell<Option<FunctionRef<(), ()>>>,
    watch: RefCell<Option<Watch>>,
    bell: RefCell<Option<Bell>>,
    relief: RefCell<Option<Relief>>,
    busy_poll: BusyPoll,
}

impl InLoop {
    /// Serves on `env`'s thread, which another turns the reactor for where it is `relieved` and has much to do.
    /// `on_work` is called when the bridge has something to take.
    ///
    /// # Errors
    /// The system is out of descriptors or threads, or the event loop cannot be had.
    pub(super) fn start(
        env: &Env,
        relieved: bool,
        on_work: &Function<'_, (), ()>,
        make_server: impl FnOnce(&Arc<Bridge>) -> Server<Arc<Bridge>>,
    ) -> Result<(Self, Arc<Bridge>)> {
        let failed = |error: io::Error| Error::from_reason(error.to_string());
        let refused = || {
            Error::new(
                Status::GenericFailure,
                "the event loop cannot be had".to_owned(),
            )
        };
        let reactor = Arc::new(Reactor::new(FILE_THREADS).map_err(failed)?);
        let work = Arc::new(AtomicBool::new(false));
        let bridge = {
            let (work, turns) = (Arc::clone(&work), reactor.turns());
            Bridge::new(Box::new(move || {
                work.store(true, Ordering::Release);
                turns.ensure();
            }))
        };
        let server = make_server(&bridge);
        let engine = Rc::new(Engine {
            shutdown: server.shutdown(),
            reactor,
            work,
            called: Cell::new(false),
            delivering: Cell::new(Duration::ZERO),
            env: *env,
            on_work: RefCell::new(Some(on_work.create_ref()?)),
            watch: RefCell::default(),
            bell: RefCell::default(),
            relief: RefCell::default(),
            busy_poll: BusyPoll::default(),
        });
        engine.spawn(server, &bridge);
        let called = Rc::clone(&engine);
        let fd = engine.reactor.as_raw_fd();
        let watch = Watch::start(env, fd, Box::new(move || called.on_readable()));
        *engine.watch.borrow_mut() = Some(watch.ok_or_else(refused)?);
        let in_loop = Self(engine);
        if relieved && let Err(error) = in_loop.relieve(env) {
            in_loop.stop();
            return Err(error.map_or_else(refused, failed));
        }
        Ok((in_loop, bridge))
    }

    /// `None` where the event loop cannot be had.
    fn relieve(&self, env: &Env) -> std::result::Result<(), Option<io::Error>> {
        let engine = &self.0;
        let called = Rc::clone(engine);
        let bell = Bell::new(env, Box::new(move || called.on_ring())).ok_or(None)?;
        let ringer = bell.ringer();
        *engine.bell.borrow_mut() = Some(bell);
        let work = Arc::clone(&engine.work);
        let is_due = move || work.load(Ordering::Acquire);
        let relief = Relief::start(Arc::clone(&engine.reactor), is_due, move || ringer.ring());
        *engine.relief.borrow_mut() = Some(relief?);
        Ok(())
    }

    /// Delivers what JavaScript has handed over.
    pub(super) fn deliver(&self, bridge: &Bridge) {
        let engine = &self.0;
        let here = !engine.is_relieved();
        let took = here.then(|| engine.reactor.run_after(|| bridge.deliver()));
        match took.flatten() {
            Some(took) => engine.delivering.set(engine.delivering.get() + took),
            None => bridge.deliver_or_wake(),
        }
        engine.look_for_work();
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    /// Waits, once a shutdown has begun, until no connection is accepted any more.
    pub(super) fn wait_refusing(&self) {
        let engine = &self.0;
        if let Some(relief) = &*engine.relief.borrow() {
            relief.hand_over_for_good();
            engine.shutdown.wait_refusing();
        }
        while !engine.shutdown.refuses() {
            engine.reactor.turn(None);
        }
        engine.look_for_work();
    }

    /// Ends what is left of the server, at once.
    pub(super) fn stop(&self) {
        let engine = &self.0;
        // Its thread rings the bell, and turns the reactor.
        drop(engine.relief.take());
        drop(engine.bell.take());
        drop(engine.watch.take());
        engine.reactor.stop();
        drop(engine.on_work.take());
    }

    pub(super) fn set_ref(&self, referenced: bool) {
        if let Some(watch) = &*self.0.watch.borrow() {
            watch.set_ref(referenced);
        }
        if let Some(bell) = &*self.0.bell.borrow() {
            bell.set_ref(referenced);
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

    /// Whether a thread turns the reactor.
    fn is_relieved(&self) -> bool {
        let relief = self.relief.borrow();
        relief.as_ref().is_some_and(Relief::is_on_thread)
    }

    /// The event loop calls: does the I/O there is, and has JavaScript take what came of it.
    fn on_readable(&self) {
        if self.is_relieved() {
            if let Some(watch) = &*self.watch.borrow() {
                watch.pause();
            }
            self.run_javascript(Duration::ZERO);
        } else if self.turn() && self.busy_poll.is_due() {
            self.look_for_more();
        }
    }

    /// Does the I/O there is, and has JavaScript take what came of it: whether anything did.
    fn turn(&self) -> bool {
        let turned = self.reactor.turn(Some(Duration::ZERO));
        if let Some(relief) = &*self.relief.borrow() {
            relief.turned();
        }
        let came = self.work.load(Ordering::Acquire);
        self.run_javascript(turned.unwrap_or_default().took);
        came
    }

    /// Turns on while more comes at once.
    fn look_for_more(&self) {
        let began = Instant::now();
        let mut last = began;
        while !self.is_relieved() {
            let came = self.turn();
            let now = Instant::now();
            if came {
                self.busy_poll.hit();
                last = now;
            } else if now - last > LINGER {
                self.busy_poll.missed();
                return;
            }
            if now - began > STAY {
                return;
            }
        }
    }

    /// The thread calls: there is work, or the reactor is to be turned here again.
    fn on_ring(&self) {
        if self.is_relieved() {
            self.run_javascript(Duration::ZERO);
            return;
        }
        if let Some(watch) = &*self.watch.borrow() {
            watch.resume();
        }
        self.on_readable();
    }

    /// Has JavaScript take what there is, after `turning` for so long.
    fn run_javascript(&self, turning: Duration) {
        let began = self.relief.borrow().is_some().then(Instant::now);
        self.called.set(true);
        self.delivering.take();
        for _ in 0..BATCHES {
            if !self.work.swap(false, Ordering::AcqRel) {
                break;
            }
            self.call_javascript();
        }
        self.called.set(false);
        if let (Some(relief), Some(began)) = (&*self.relief.borrow(), began) {
            let delivering = self.delivering.get();
            let occupied = began.elapsed().saturating_sub(delivering);
            relief.judge(turning + delivering, occupied);
        }
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
