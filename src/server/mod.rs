//! A bound server: accepts connections and serves each until it ends or the server shuts down.

mod accept;
mod connection;
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

use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use self::accept::{Accepted, Accepting};
#[cfg(unix)]
use self::handover::Arriving;
pub(crate) use self::parking::Parking;
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
use crate::{Config, Handler, load::Load, router::Router, service::Service, task};

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
/// How many connections at a time are many.
const MANY: usize = 64;

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
            load: Load::default(),
            parking: Parking::new(|| {}),
        };
        Self {
            listener,
            tls: None,
            service,
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

    /// Calls `on_lull`, on the I/O thread, when most of many connections have ended, or many have
    /// become idle: what they needed is free, and can be given back to the system.
    pub fn with_lull(mut self, on_lull: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_lull = Arc::new(on_lull);
        let on_many = Arc::clone(&self.on_lull);
        self.service.parking = Parking::new(move || on_many());
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
            shutdown,
            on_lull,
            #[cfg(unix)]
            mut introductions,
            #[cfg(unix)]
            arrivals,
        } = self;
        #[cfg(unix)]
        let arriving = arrivals.map(Arriving::new).transpose()?;
        // Whoever waits for the port goes on when this function is left, however that is.
        let refusing = shutdown.refusing();
        let service = Arc::new(service);
        let mut listener = Accepting::new(listener)?;
        let mut connections = JoinSet::new();
        let (unaware, mut all_aware) = mpsc::channel(1);
        #[cfg(unix)]
        let has_arrivals = arriving.is_some();
        #[cfg(not(unix))]
        let has_arrivals = false;
        // Nobody takes the place of a server that takes nobody's.
        let unaware = has_arrivals.then_some(unaware);
        // The most at a time since the last lull.
        let mut most = 0;
        let serve = |connections: &mut JoinSet<()>, accepted: Accepted, tls: Option<Tls>| {
            let limit = service.config.max_connections.unwrap_or(usize::MAX);
            if connections.len() < limit {
                let service = Arc::clone(&service);
                let (shutdown, unaware) = (shutdown.clone(), unaware.clone());
                let connection = connection::serve(accepted, tls, service, shutdown, unaware);
                task::spawn_in(connections, connection);
            }
        };
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
        loop {
            tokio::select! {
                biased;
                () = shutdown.started() => break,
                // Reaps what has ended; a panic in a connection has ended that connection only.
                Some(_) = connections.join_next() => {
                    if most >= MANY && connections.len() <= most / 4 {
                        most = connections.len();
                        on_lull();
                    }
                }
                // Nobody listens to it but this process: it is not encrypted.
                accepted = introduction() => serve(&mut connections, accepted, None),
                // Only what is not encrypted is handed over.
                accepted = arrival() => serve(&mut connections, accepted, None),
                accepted = listener.accept() => {
                    serve(&mut connections, accepted, tls.clone());
                    most = most.max(connections.len());
                }
            }
        }
        if shutdown.is_succeeded() {
            drop(listener);
            // Who asks over a connection that is idle gets his answer from the other process.
            drop(unaware);
            let _ = timeout(AWARE, all_aware.recv()).await;
        } else {
            let closing = listener.close(|accepted| serve(&mut connections, accepted, tls.clone()));
            if let Some(Err(error)) = shutdown.unless_expired(closing).await {
                eprintln!("wapix: accept: {error}; who waited to be accepted is refused");
            }
        }
        // The port is free from here on.
        drop(refusing);
        tokio::select! {
            () = async { while connections.join_next().await.is_some() {} } => {}
            () = shutdown.expired() => connections.shutdown().await,
        }
        Ok(())
    }
}
