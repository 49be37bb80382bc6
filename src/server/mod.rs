//! A bound server: accepts connections and serves each until it ends or the server shuts down.

mod accept;
mod connection;
mod connections;
mod cork;
#[cfg(unix)]
mod handover;
mod http1;
mod http2;
mod http2_stream;
#[cfg(unix)]
mod introducer;
mod listener;
mod parking;
mod shutdown;
mod socket;
mod timeouts;
mod tls;

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::mpsc, time::timeout};

#[cfg(unix)]
use self::handover::Arriving;
pub(crate) use self::parking::Parking;
use self::{accept::Accepting, connections::Connections};
#[cfg(unix)]
pub use self::{
    handover::{Arrivals, Successor},
    introducer::{Introducer, Introductions, introductions},
};
pub use self::{
    listener::{Listener, LocalAddress},
    shutdown::Shutdown,
    tls::Tls,
};
use crate::{Config, Handler, load::Load, router::Router, service::Service};

/// A server, bound and ready to run.
///
/// ```no_run
/// use wapix::{Config, Exchange, Listener, Request, Response, Server};
/// use wapix::router::{Method, RouteId, Router};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut router = Router::new();
/// router.insert(Method::Get, "/", RouteId::new(0))?;
/// let listener = Listener::tcp("127.0.0.1:3000".parse()?, 511, false)?;
/// let hello = |_: Request, exchange: Exchange| exchange.respond(Response::text("hello"));
/// Server::new(listener, router, Config::default(), hello).run().await?;
/// # Ok(())
/// # }
/// ```
pub struct Server<H> {
    listener: Listener,
    tls: Option<Tls>,
    service: Service<H>,
    elsewhere: Vec<(Handle, H)>,
    shutdown: Shutdown,
    on_lull: Arc<dyn Fn() + Send + Sync>,
    #[cfg(unix)]
    introductions: Option<Introductions>,
    #[cfg(unix)]
    arrivals: Option<Arrivals>,
}

/// Held by a connection that has not heard yet that another process serves from now on.
type Unaware = Option<mpsc::Sender<Infallible>>;

/// How long a process that is to go waits for its connections to hear of it.
const AWARE: Duration = Duration::from_millis(500);

impl<H: Handler> Server<H> {
    /// A server of `router`'s routes, answered by `handler`.
    pub fn new(
        listener: Listener,
        router: impl Into<Arc<Router>>,
        config: Config,
        handler: H,
    ) -> Self {
        let router = router.into();
        router.prepare();
        let service = Service {
            router,
            handler,
            config,
            load: Arc::new(Load::default()),
            parking: Arc::new(Parking::new(|| {})),
        };
        Self {
            listener,
            tls: None,
            service,
            elsewhere: Vec::new(),
            shutdown: Shutdown::new(),
            on_lull: Arc::new(|| {}),
            #[cfg(unix)]
            introductions: None,
            #[cfg(unix)]
            arrivals: None,
        }
    }

    /// Serves HTTPS instead of HTTP.
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Serves a part of the connections on another runtime, with a handler of their own: each goes to
    /// where the fewest are. Tasks of that runtime must be run until [`Server::run`] returns. Not for a
    /// server that a reactor runs.
    pub fn with_runtime(mut self, runtime: Handle, handler: H) -> Self {
        self.elsewhere.push((runtime, handler));
        self
    }

    /// Calls `on_lull`, on a thread that serves, when most of many connections have ended, or many have
    /// become idle: what they needed is free, and can be given back to the system.
    pub fn with_lull(mut self, on_lull: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_lull = Arc::new(on_lull);
        let on_many = Arc::clone(&self.on_lull);
        self.service.parking = Arc::new(Parking::new(move || on_many()));
        self
    }

    /// Serves what `introductions` bring, besides what it accepts.
    #[cfg(unix)]
    pub fn with_introductions(mut self, introductions: Introductions) -> Self {
        self.introductions = Some(introductions);
        self
    }

    /// Serves the connections that another server has left, too.
    #[cfg(unix)]
    pub fn with_arrivals(mut self, arrivals: Arrivals) -> Self {
        self.arrivals = Some(arrivals);
        self
    }

    /// What stops this server, from any thread.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Serves until [`Shutdown::graceful`] or [`Shutdown::now`] is called and every connection has
    /// ended.
    ///
    /// # Errors
    /// The listening socket could not be registered with the runtime.
    pub async fn run(self) -> std::io::Result<()> {
        let Self {
            listener,
            tls,
            service,
            elsewhere,
            shutdown,
            on_lull,
            #[cfg(unix)]
            mut introductions,
            #[cfg(unix)]
            arrivals,
        } = self;
        // Whoever waits for the port goes on when this function is left, however that is.
        let refusing = shutdown.refusing();
        #[cfg(unix)]
        let arriving = arrivals.map(Arriving::new).transpose()?;
        let mut listener = Accepting::new(listener)?;
        let (unaware, mut all_aware) = mpsc::channel(1);
        #[cfg(unix)]
        let has_arrivals = arriving.is_some();
        #[cfg(not(unix))]
        let has_arrivals = false;
        // Nobody takes the place of a server that takes nobody's.
        let unaware = has_arrivals.then_some(unaware);
        let mut connections =
            Connections::new(service, elsewhere, shutdown.clone(), unaware, on_lull);
        #[cfg_attr(not(unix), expect(unused_mut))]
        let mut introduction = async || {
            #[cfg(unix)]
            if let Some(introductions) = &mut introductions {
                return introductions.next().await;
            }
            std::future::pending().await
        };
        let arrival = async || {
            #[cfg(unix)]
            if let Some(arriving) = &arriving {
                return arriving.next().await;
            }
            std::future::pending().await
        };
        let all_here = connections.are_all_here();
        loop {
            tokio::select! {
                biased;
                () = shutdown.started() => break,
                () = connections.reap() => {}
                // Nobody listens to it but this process: it is not encrypted.
                accepted = introduction() => connections.serve(accepted, None),
                // Only what is not encrypted is handed over.
                accepted = arrival() => connections.serve(accepted, None),
                accepted = listener.accept(all_here) => connections.serve(accepted, tls.clone()),
            }
        }
        if shutdown.is_succeeded() {
            drop(listener);
            // Who asks over a connection that is idle gets his answer from the other process.
            connections.are_told();
            let _ = timeout(AWARE, all_aware.recv()).await;
        } else {
            let closing = listener.close(|accepted| connections.serve(accepted, tls.clone()));
            if let Some(Err(error)) = shutdown.unless_expired(closing).await {
                eprintln!("wapix: accept: {error}; who waited to be accepted is refused");
            }
        }
        // The port is free from here on.
        drop(refusing);
        connections.end().await;
        Ok(())
    }
}
