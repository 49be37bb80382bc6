//! A server on an I/O thread of its own.

use std::{
    io,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use napi::{
    Env, Status,
    bindgen_prelude::{Error, Function, Result},
    sys,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};

use super::{FILE_THREADS, OnDrop};
use crate::{Server, Shutdown, bridge::Bridge};

/// Calls back without arguments, never blocks, and leaves it to `ref` whether the process lives.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// The thread that does a server's I/O.
pub(super) struct IoThread {
    pub(super) shutdown: Shutdown,
    wake: Arc<Wake>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl IoThread {
    /// Serves on a thread of its own. `on_work` is called when the bridge has something to take.
    ///
    /// # Errors
    /// The system is out of descriptors or threads.
    pub(super) fn start(
        on_work: &Function<'_, (), ()>,
        make_server: impl FnOnce(&Arc<Bridge>) -> Server<Arc<Bridge>>,
    ) -> Result<(Self, Arc<Bridge>)> {
        let wake: Arc<Wake> = Arc::new(
            on_work
                .build_threadsafe_function::<()>()
                .callee_handled::<false>()
                .weak::<true>()
                .max_queue_size::<0>()
                .build()?,
        );
        let waker = Arc::clone(&wake);
        let bridge = Bridge::new(Box::new(move || {
            // Refused only while the environment ends: then nobody is there to wake.
            waker.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }));
        let server = make_server(&bridge);
        let shutdown = server.shutdown();
        let handle = run(server, Arc::clone(&bridge))
            .map_err(|error| Error::from_reason(crate::Error::Thread(error).to_string()))?;
        let io_thread = Self {
            shutdown,
            wake,
            handle: Mutex::new(Some(handle)),
        };
        Ok((io_thread, bridge))
    }

    /// Waits for the thread's end. It never waits for JavaScript, so this cannot deadlock.
    pub(super) fn join(&self) {
        let handle = self.handle.lock().ok().and_then(|mut handle| handle.take());
        if let Some(handle) = handle {
            // A panic has been printed by the panic hook, and there is nothing left to stop.
            let _ = handle.join();
        }
    }

    /// Whether the thread keeps the process alive.
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

fn run(server: Server<Arc<Bridge>>, bridge: Arc<Bridge>) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // They read files that are not in the page cache.
        .thread_name("wapix-file")
        .max_blocking_threads(FILE_THREADS)
        .build()?;
    std::thread::Builder::new()
        .name("wapix-io".to_owned())
        .spawn(move || {
            let _closed = OnDrop(|| bridge.closed());
            runtime.block_on(async {
                let deliver = Arc::clone(&bridge);
                tokio::spawn(async move { deliver.deliver().await });
                let notify = Arc::clone(&bridge);
                tokio::spawn(async move { notify.notify().await });
                if let Err(error) = server.run().await {
                    eprintln!("wapix: the listening socket failed: {error}");
                }
            });
        })
}
