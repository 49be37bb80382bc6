//! A server on I/O threads of its own.

use std::{cell::RefCell, io, sync::Arc, thread::JoinHandle};

use napi::{
    Env, Status,
    bindgen_prelude::{Error, Function, Result},
    sys,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use tokio::{
    runtime::Runtime,
    sync::{Notify, watch},
};

use super::{FILE_THREADS, OnDrop};
use crate::{Server, Shutdown, bridge::Bridge};

/// Calls back without arguments, never blocks, and leaves it to `ref` whether the process lives.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// The threads that do a server's I/O.
pub(super) struct IoThreads {
    pub(super) shutdown: Shutdown,
    /// Of the first thread. It keeps the process alive for the others, too.
    wake: Arc<Wake>,
    handles: RefCell<Vec<JoinHandle<()>>>,
}

/// What a thread has, before there is one.
struct Place {
    runtime: Runtime,
    bridge: Arc<Bridge>,
    /// The bridge has something for JavaScript.
    has_work: Arc<Notify>,
    wake: Arc<Wake>,
}

impl IoThreads {
    /// Serves on threads of their own, one for each `on_work`, which is called when the bridge of that
    /// thread has something to take. The first accepts what all of them serve.
    ///
    /// # Errors
    /// The system is out of descriptors or threads.
    pub(super) fn start(
        first: &Function<'_, (), ()>,
        others: &[Function<'_, (), ()>],
        make_server: impl FnOnce(&Arc<Bridge>) -> Server<Arc<Bridge>>,
    ) -> Result<(Self, Vec<Arc<Bridge>>)> {
        let failed = |error| Error::from_reason(crate::Error::Thread(error).to_string());
        let first = Place::new(first)?;
        let others = others.iter().map(Place::new).collect::<Result<Vec<_>>>()?;
        let mut bridges = vec![Arc::clone(&first.bridge)];
        let mut server = make_server(&first.bridge);
        for Place {
            runtime, bridge, ..
        } in &others
        {
            server = server.with_runtime(runtime.handle().clone(), Arc::clone(bridge));
            bridges.push(Arc::clone(bridge));
        }
        let threads = Self {
            shutdown: server.shutdown(),
            wake: Arc::clone(&first.wake),
            handles: RefCell::default(),
        };
        // Held while the server runs: its connections need the other threads up to their end.
        let (running, ended) = watch::channel(());
        let others = others
            .into_iter()
            .enumerate()
            .try_for_each(|(index, place)| {
                let mut ended = ended.clone();
                threads.spawn(index + 2, place, async move {
                    let _ = ended.changed().await;
                })
            });
        let started = others.and_then(|()| {
            threads.spawn(1, first, async move {
                let _running = running;
                if let Err(error) = server.run().await {
                    eprintln!("wapix: the listening socket failed: {error}");
                }
            })
        });
        if let Err(error) = started {
            threads.join();
            return Err(failed(error));
        }
        Ok((threads, bridges))
    }

    fn spawn(
        &self,
        number: usize,
        place: Place,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let Place {
            runtime,
            bridge,
            has_work,
            wake,
        } = place;
        // Refused only while the environment ends: then nobody is there to wake.
        let wake = move || {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        };
        let handle = std::thread::Builder::new()
            .name(format!("wapix-io-{number}"))
            .spawn(move || {
                let last = wake.clone();
                let _closed = OnDrop(|| {
                    bridge.closed();
                    last();
                });
                // Dropped first, with what still runs on it: that tells of requests that are over.
                let runtime = runtime;
                runtime.block_on(async {
                    let run = Arc::clone(&bridge);
                    tokio::spawn(async move { run.run().await });
                    // A task of its own runs behind those that are ready.
                    tokio::spawn(async move {
                        loop {
                            has_work.notified().await;
                            wake();
                        }
                    });
                    work.await;
                });
            })?;
        self.handles.borrow_mut().push(handle);
        Ok(())
    }

    /// Waits for the threads' end. They never wait for JavaScript, so this cannot deadlock.
    pub(super) fn join(&self) {
        for handle in self.handles.take() {
            // A panic has been printed by the panic hook, and there is nothing left to stop.
            let _ = handle.join();
        }
    }

    /// Whether the threads keep the process alive.
    pub(super) fn set_ref(&self, env: &Env, referenced: bool) {
        let (env, wake) = (env.raw(), self.wake.raw());
        // SAFETY: called by JavaScript, so on the environment's thread, before its end; `wake` holds
        // the function for as long as `self` lives. Both calls only count.
        #[expect(unsafe_code, reason = "napi's own want it as `&mut`")]
        let _ = unsafe {
            if referenced {
                sys::napi_ref_threadsafe_function(env, wake)
            } else {
                sys::napi_unref_threadsafe_function(env, wake)
            }
        };
    }
}

impl Place {
    fn new(on_work: &Function<'_, (), ()>) -> Result<Self> {
        let wake: Arc<Wake> = Arc::new(
            on_work
                .build_threadsafe_function::<()>()
                .callee_handled::<false>()
                .weak::<true>()
                .max_queue_size::<0>()
                .build()?,
        );
        let has_work = Arc::new(Notify::new());
        let bridge = {
            let has_work = Arc::clone(&has_work);
            Bridge::new(Box::new(move || has_work.notify_one()))
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // They read files that are not in the page cache.
            .thread_name("wapix-file")
            .max_blocking_threads(FILE_THREADS)
            .build()
            .map_err(|error| Error::from_reason(crate::Error::Thread(error).to_string()))?;
        Ok(Self {
            runtime,
            bridge,
            has_work,
            wake,
        })
    }
}
