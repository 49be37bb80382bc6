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
    bindgen_prelude::{Error, Function, Result},
};
use napi_derive::napi;

#[cfg(unix)]
use super::descriptors::inherited;
use super::{
    address::{BindingAddress, BindingListening, bind, listening, not_listening},
    bridge::BindingBridge,
    coded,
    memory::give_back,
    options::{BindingOptions, config_of},
    routes::{BindingRoute, configs_of, router_of},
    transport::{Placement, Transport},
};
#[cfg(unix)]
use crate::{Arrivals, Introducer, Successor, introductions};
use crate::{Config, Listener, Server, Tls, bridge::Bridge, router::Router};

/// The routes and settings of a server, and the server while it runs.
#[napi]
pub struct BindingServer {
    router: Arc<Router>,
    config: Config,
    tls: Option<Tls>,
    placement: Placement,
    running: Rc<RefCell<Option<Running>>>,
}

pub(super) struct Running {
    /// One for each thread that does I/O.
    pub(super) bridges: Vec<Arc<Bridge>>,
    pub(super) transport: Rc<Transport>,
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
    let placement = Placement::new(options.io_threads, options.has_event_loop);
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
        running: Rc::default(),
    })
}

#[napi]
impl BindingServer {
    /// What crosses is taken from, and handed to, each of these: one for each thread that does I/O.
    #[napi]
    pub fn bridges(&self) -> Vec<BindingBridge> {
        (0..self.placement.bridges())
            .map(|index| BindingBridge::new(Rc::clone(&self.running), index))
            .collect()
    }

    /// Binds and starts serving. There is an `onWork` for each of `bridges`: called when its `take` has
    /// something, it must not throw.
    #[napi]
    pub fn listen(
        &self,
        env: Env,
        address: BindingAddress,
        on_work: Vec<Function<'_, (), ()>>,
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
        on_work: &[Function<'_, (), ()>],
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
        let (transport, bridges) = Transport::start(self.placement, env, on_work, make_server)?;
        let transport = Rc::new(transport);
        // Threads must not outlive the environment (worker.terminate()): it ends when they have.
        // Weak: the hook's own data is never freed, not even when the hook is removed.
        let cleanup = env.add_env_cleanup_hook(Rc::downgrade(&transport), |transport| {
            if let Some(transport) = transport.upgrade() {
                transport.stop();
            }
        })?;
        *self.running.borrow_mut() = Some(Running {
            bridges,
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
    /// last record of each bridge says when it has happened there.
    #[napi]
    pub fn close(&self, deadline: u32) {
        if let Some(running) = &*self.running.borrow() {
            let deadline = Duration::from_millis(deadline.into());
            for (index, bridge) in running.bridges.iter().enumerate() {
                bridge.send_subscribers_away(index, running.bridges.len());
            }
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
    pub fn serve_nowhere(&self, env: Env, on_work: Vec<Function<'_, (), ()>>) -> Result<()> {
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
