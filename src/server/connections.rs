//! The connections of a server, and where each is served.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Shutdown, Tls, Unaware, accept::Accepted, connection};
use crate::{Handler, service::Service, task::Tasks};

/// How many connections at a time are many.
const MANY: usize = 64;

/// All of them, on whatever runtime each is served.
pub(super) struct Connections<H> {
    tasks: Tasks,
    here: Arc<Service<H>>,
    elsewhere: Vec<(Handle, Arc<Service<H>>)>,
    shutdown: Shutdown,
    unaware: Unaware,
    /// The most at a time since the last lull.
    most: usize,
    on_lull: Arc<dyn Fn() + Send + Sync>,
}

impl<H: Handler> Connections<H> {
    pub(super) fn new(
        service: Service<H>,
        elsewhere: Vec<(Handle, H)>,
        shutdown: Shutdown,
        unaware: Unaware,
        on_lull: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let beside = |(runtime, handler)| (runtime, Arc::new(service.beside(handler)));
        Self {
            tasks: Tasks::default(),
            elsewhere: elsewhere.into_iter().map(beside).collect(),
            here: Arc::new(service),
            shutdown,
            unaware,
            most: 0,
            on_lull,
        }
    }

    /// Whether there is but one place.
    pub(super) fn are_all_here(&self) -> bool {
        self.elsewhere.is_empty()
    }

    /// Serves a connection where the fewest are, or closes it where it is one too many.
    pub(super) fn serve(&mut self, accepted: Accepted, tls: Option<Tls>) {
        let limit = self.here.config.max_connections.unwrap_or(usize::MAX);
        if self.tasks.len() >= limit {
            return;
        }
        let (shutdown, unaware) = (self.shutdown.clone(), self.unaware.clone());
        let place = match accepted {
            Accepted::Watched(_) => None,
            _ => self.elsewhere_with_fewer(),
        };
        if let Some((runtime, service)) = place {
            let connection = connection::serve(accepted, tls, service, shutdown, unaware);
            self.tasks.spawn(Some(&runtime), connection);
        } else {
            let service = Arc::clone(&self.here);
            let connection = connection::serve(accepted, tls, service, shutdown, unaware);
            self.tasks.spawn(None, connection);
        }
        self.most = self.most.max(self.tasks.len());
    }

    fn elsewhere_with_fewer(&self) -> Option<(Handle, Arc<Service<H>>)> {
        // Each connection holds its service; one of HTTP/2 holds it with each of its requests, too.
        let count = Arc::strong_count;
        let (runtime, service) = self
            .elsewhere
            .iter()
            .min_by_key(|(_, service)| count(service))?;
        (count(service) < count(&self.here)).then(|| (runtime.clone(), Arc::clone(service)))
    }

    /// Waits until some have ended: a panic has ended that connection only.
    pub(super) async fn reap(&mut self) {
        self.tasks.some_ended().await;
        if self.most >= MANY && self.tasks.len() <= self.most / 4 {
            self.most = self.tasks.len();
            (self.on_lull)();
        }
    }

    /// Nobody but they are waited for until they know that another process serves from now on.
    pub(super) fn are_told(&mut self) {
        self.unaware = None;
    }

    /// Waits until all have ended; then, or when they must, there are none.
    pub(super) async fn end(self) {
        if (self.shutdown.unless_expired(self.tasks.all_ended()).await).is_none() {
            self.tasks.abort();
            self.tasks.all_ended().await;
        }
    }
}
