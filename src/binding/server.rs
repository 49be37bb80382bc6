//! A server as JavaScript drives it.

#[cfg(unix)]
use std::os::fd::IntoRawFd;
use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use napi::{
    CleanupEnvHook, Env,
    bindgen_prelude::{
        Buffer, BufferSlice, Error, Function, Result, Uint8ArraySlice, Uint32ArraySlice,
    },
};
use napi_derive::napi;

#[cfg(unix)]
use super::descriptors::inherited;
use super::{
    address::{BindingAddress, BindingListening, bind, listening, not_listening},
    coded,
    memory::give_back,
    options::{BindingOptions, config_of},
    routes::{BindingRoute, configs_of, router_of},
    transport::{Placement, Transport},
};
#[cfg(unix)]
use crate::{Arrivals, Introducer, Successor, introductions};
use crate::{
    Config, Direct, Listener, Server, Tls,
    bridge::{Bridge, Taken},
    router::Router,
};

/// The routes and settings of a server, and the server while it runs.
#[napi]
pub struct BindingServer {
    router: Arc<Router>,
    config: Config,
    tls: Option<Tls>,
    placement: Placement,
    running: RefCell<Option<Running>>,
}

struct Running {
    bridge: Arc<Bridge>,
    transport: Rc<Transport>,
    cleanup: CleanupEnvHook<Weak<Transport>>,
    #[cfg(unix)]
    introducer: Introducer,
}

/// Throws `WAPIX_INVALID_ROUTE`, `WAPIX_ROUTE_CONFLICT` or `WAPIX_INVALID_TLS`. A route's id is its
/// index; that of what no route matches, how many there are.
#[napi]
pub fn create_server(
    routes: Vec<BindingRoute>,
    options: BindingOptions,
) -> Result<BindingServer, String> {
    let config = config_of(&options, configs_of(&routes));
    let router = router_of(routes)?;
    let placement = Placement::new(options.io_threads);
    let tls = match (options.key, options.cert) {
        (Some(key), Some(cert)) => {
            let tls = Tls::from_pem(&key, &cert, options.ca.as_deref());
            Some(tls.map_err(|error| coded("WAPIX_INVALID_TLS", error))?)
        }
        _ => None,
    };
    Ok(BindingServer {
        router: Arc::new(router),
        config,
        tls,
        placement,
        running: RefCell::new(None),
    })
}

#[napi]
impl BindingServer {
    /// Binds and starts serving. `onWork` is called when `take` has something, and must not throw.
    #[napi]
    pub fn listen(
        &self,
        env: Env,
        address: BindingAddress,
        on_work: Function<'_, (), ()>,
    ) -> Result<BindingListening> {
        if self.running.borrow().is_some() {
            return Err(Error::from_reason("the server is running already"));
        }
        #[cfg(unix)]
        let arrivals = address.arrivals;
        let bound = bind(address).and_then(|listener| {
            let local = listener.local_address()?;
            Ok((listener, local))
        });
        let (listener, local) = match bound {
            Ok(bound) => bound,
            Err(error) => return Ok(not_listening(&error)),
        };
        #[cfg(unix)]
        let arrivals = arrivals.map(|socket| Arrivals::new(inherited(socket)?.into()));
        #[cfg(unix)]
        let arrivals = arrivals.transpose()?;
        self.run(
            &env,
            listener,
            #[cfg(unix)]
            arrivals,
            &on_work,
        )?;
        self.set_ref(&env, true);
        Ok(listening(local))
    }

    fn run(
        &self,
        env: &Env,
        listener: Listener,
        #[cfg(unix)] arrivals: Option<Arrivals>,
        on_work: &Function<'_, (), ()>,
    ) -> Result<()> {
        #[cfg(unix)]
        let (introducer, introductions) = introductions();
        let make_server = |bridge: &Arc<Bridge>| {
            let server = self.server(listener, bridge);
            #[cfg(unix)]
            let server = server.with_introductions(introductions);
            #[cfg(unix)]
            let server = match arrivals {
                Some(arrivals) => server.with_arrivals(arrivals),
                None => server,
            };
            server
        };
        let (transport, bridge) = Transport::start(self.placement, env, on_work, make_server)?;
        let transport = Rc::new(transport);
        // Threads must not outlive the environment (worker.terminate()): it ends when they have.
        // Weak: the hook's own data is never freed, not even when the hook is removed.
        let cleanup = env.add_env_cleanup_hook(Rc::downgrade(&transport), |transport| {
            if let Some(transport) = transport.upgrade() {
                transport.stop();
            }
        })?;
        *self.running.borrow_mut() = Some(Running {
            bridge,
            transport,
            cleanup,
            #[cfg(unix)]
            introducer,
        });
        Ok(())
    }

    fn server(&self, listener: Listener, bridge: &Arc<Bridge>) -> Server<Arc<Bridge>> {
        let router = Arc::clone(&self.router);
        let server = Server::new(listener, router, self.config.clone(), Arc::clone(bridge))
            .with_lull(give_back());
        match &self.tls {
            Some(tls) => server.with_tls(tls.clone()),
            None => server,
        }
    }

    /// Takes the next batch. `words[0]` says what: 0 nothing, 1 a batch (`words[1]` its words from
    /// index 4 on, `words[2]` bytes of its text, `words[3]` whether there is another), 2 too little
    /// room (`words[1]` words and `words[2]` bytes are needed). Large content is returned.
    #[napi]
    pub fn take(
        &self,
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
        let running = self.running.borrow();
        let mut apart = Vec::new();
        let taken = running.as_ref().map_or(Taken::Empty, |running| {
            running.bridge.take(records, &mut bytes, &mut apart)
        });
        match taken {
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
    /// `buffers`, which may be written to again once this returns. They wait for `wake`.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "an object of them would cost more than the call"
    )]
    pub fn answer(
        &self,
        words: &[u32],
        count: u32,
        text: &[u8],
        text_length: u32,
        bytes: &[u8],
        byte_length: u32,
        buffers: Option<Vec<Uint8ArraySlice<'_>>>,
    ) {
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return;
        };
        let words = words.get(..count as usize).unwrap_or(words);
        let text = text.get(..text_length as usize).unwrap_or(text);
        let bytes = bytes.get(..byte_length as usize).unwrap_or(bytes);
        let buffers = buffers.iter().flatten().map(|buffer| &**buffer);
        running.bridge.answer(words, text, bytes, buffers);
    }

    /// Writes a large chunk of the streamed response of `slot` and `serial` to its socket, where the
    /// `sent` bytes handed over before it have been written. 0: it has to be handed over; 1: written;
    /// 2: written in part, and `DRAINED` tells of the rest. It may be written to again once this
    /// returns.
    #[napi]
    pub fn write(&self, slot: u32, serial: u32, chunk: &[u8], sent: f64) -> u32 {
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return 0;
        };
        match running.bridge.write(slot, serial, chunk, sent as u64) {
            Direct::Not => 0,
            Direct::Whole => 1,
            Direct::Partly => 2,
        }
    }

    /// Hands over `length` bytes of a file from `position` on, which end the streamed response of
    /// `slot` and `serial`. The file may be closed once this returns. False where it is not a
    /// regular file, or the platform has no file descriptors.
    #[napi]
    pub fn answer_with_file(
        &self,
        slot: u32,
        serial: u32,
        fd: i32,
        position: f64,
        length: f64,
    ) -> bool {
        let running = self.running.borrow();
        match (running.as_ref(), regular_file(fd)) {
            (Some(running), Some(file)) => {
                // Whole numbers up to 2^53, and infinity, which is the largest there is.
                let (position, length) = (position as u64, length as u64);
                running
                    .bridge
                    .answer_with_file(slot, serial, file, position, length);
                true
            }
            _ => false,
        }
    }

    /// Has what `answer` handed over sent.
    #[napi]
    pub fn wake(&self) {
        if let Some(running) = &*self.running.borrow() {
            running.transport.wake(&running.bridge);
        }
    }

    /// Serves new connections with another key and certificate (PEM). Throws `WAPIX_INVALID_TLS`.
    #[napi]
    pub fn set_secure_context(
        &self,
        key: &[u8],
        cert: &[u8],
        ca: Option<&[u8]>,
    ) -> Result<(), String> {
        let Some(tls) = &self.tls else {
            let message = "the server was made without `https`";
            return Err(coded("WAPIX_INVALID_TLS", message));
        };
        let other =
            Tls::from_pem(key, cert, ca).map_err(|error| coded("WAPIX_INVALID_TLS", error))?;
        tls.replace(&other);
        Ok(())
    }

    /// Stops accepting and, at the latest after `deadline` milliseconds, closes what is left. The
    /// last record of the last batch says when it has happened.
    #[napi]
    pub fn close(&self, deadline: u32) {
        if let Some(running) = &*self.running.borrow() {
            let deadline = Duration::from_millis(deadline.into());
            running.bridge.send_subscribers_away();
            running.transport.close(deadline);
        }
    }

    /// Frees what `listen` took, once the server has closed.
    #[napi]
    pub fn release(&self, env: Env) -> Result<()> {
        let Some(running) = self.running.borrow_mut().take() else {
            return Ok(());
        };
        running.transport.stop();
        env.remove_env_cleanup_hook(running.cleanup)
    }

    /// Whether the running server keeps the process alive.
    #[napi]
    pub fn set_ref(&self, env: &Env, referenced: bool) {
        if let Some(running) = &*self.running.borrow() {
            running.transport.set_ref(env, referenced);
        }
    }
}

#[cfg(unix)]
#[napi]
impl BindingServer {
    /// Starts serving nobody but those that `connect`.
    #[napi]
    pub fn serve_nowhere(&self, env: Env, on_work: Function<'_, (), ()>) -> Result<()> {
        self.run(&env, Listener::nowhere(), None, &on_work)?;
        self.set_ref(&env, false);
        Ok(())
    }

    /// A connection to the running server: the descriptor of a Unix socket, which the caller closes.
    #[napi]
    pub fn connect(&self) -> Result<i32> {
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return Err(Error::from_reason("the server is not running"));
        };
        let connection = running.introducer.connect();
        let connection = connection.map_err(|error| Error::from_reason(error.to_string()))?;
        Ok(connection.into_raw_fd())
    }

    /// As `close`, but another process that has the listening socket goes on serving: connections that
    /// are idle are left to it, through this end of a socket pair (a descriptor, the server's from then
    /// on).
    #[napi]
    pub fn leave(&self, deadline: u32, successor: i32) -> Result<()> {
        if let Some(running) = &*self.running.borrow() {
            let deadline = Duration::from_millis(deadline.into());
            let successor = inherited(successor).and_then(|socket| Successor::new(socket.into()));
            let successor = successor.map_err(|error| Error::from_reason(error.to_string()))?;
            running.transport.leave(successor, deadline);
        }
        Ok(())
    }
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
