//! Events, which are all that is to be sent for now: they are framed without hyper.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use super::{Connection, Outcome};
use crate::{body::StreamBody, server::socket::Socket};

/// Sends what is left of a response. Of the last of them its end as well: there is all the time that it takes.
pub(super) async fn serve<H, S: Socket>(
    connection: &Connection<'_, H, S>,
    mut body: Box<StreamBody>,
    goes_on: bool,
) -> Outcome {
    let Connection {
        stream, shutdown, ..
    } = *connection;
    let mut succeeded = pin!(shutdown.succeeded());
    let mut waits = false;
    let mut ended = false;
    poll_fn(|context| {
        // Asked once, it wakes this task when there is an answer.
        if (!waits || shutdown.has_started()) && succeeded.as_mut().poll(context).is_ready() {
            return Poll::Ready(Outcome::Gone);
        }
        waits = true;
        if !ended {
            match stream.poll_events(&mut body, context) {
                Poll::Ready(Ok(true)) => ended = true,
                Poll::Ready(Ok(false)) => return Poll::Ready(Outcome::Broken),
                Poll::Ready(Err(_)) => return Poll::Ready(Outcome::Gone),
                Poll::Pending => return stream.poll_left(context).map(|()| Outcome::Gone),
            }
        }
        if goes_on {
            return Poll::Ready(Outcome::Ended);
        }
        match stream.poll_uncork(context) {
            Poll::Ready(Ok(())) => Poll::Ready(Outcome::Ended),
            Poll::Ready(Err(_)) => Poll::Ready(Outcome::Gone),
            Poll::Pending => stream.poll_left(context).map(|()| Outcome::Gone),
        }
    })
    .await
}
