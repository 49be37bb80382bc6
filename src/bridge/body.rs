//! Bodies of requests that JavaScript has as they come.

use tokio::sync::mpsc::UnboundedReceiver;

use super::{Bridge, protocol, slots::Key};
use crate::request_body::IncomingBody;

impl Bridge {
    /// Reads a request's body as often as JavaScript has asked, until the body has ended or JavaScript is
    /// no more to hear of the request.
    pub(super) async fn forward_body(
        &self,
        key: Key,
        mut body: Box<IncomingBody>,
        mut asked: UnboundedReceiver<()>,
    ) {
        let mut reads = 0_usize;
        loop {
            let next = tokio::select! {
                biased;
                more = asked.recv() => match more {
                    Some(()) => {
                        reads += 1;
                        continue;
                    }
                    None => return,
                },
                next = body.next(), if reads > 0 => next,
            };
            reads -= 1;
            match next {
                Ok(Some(chunk)) => self.queue(|queue| queue.push_body(key, chunk)),
                // Reset, in fact: the request is over.
                Ok(None) if asked.is_closed() && asked.is_empty() => return,
                Ok(None) => {
                    self.queue(|queue| queue.push_event(protocol::BODY_END, key, &[]));
                    return;
                }
                Err(refused) => {
                    let status = u32::from(refused.status().as_u16());
                    let limit = refused.limit().unwrap_or(0);
                    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
                    self.queue(|queue| {
                        queue.push_event(protocol::BODY_FAILED, key, &[status, limit]);
                    });
                    return;
                }
            }
        }
    }
}
