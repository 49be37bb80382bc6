//! An answer that whoever has it writes to the socket, past the task that waits for it.

use super::answer::{self, Head};
use crate::{
    body::Passed,
    exchange::{Response, Shortcut},
    server::{cork::Corked, socket::Socket},
};

/// The way to the socket of a connection.
pub(super) struct PastTask<S>(pub(super) Corked<S>);

impl<S: Socket> Shortcut for PastTask<S> {
    fn answer(&self, response: &Response<&[u8]>) -> Passed {
        let Response {
            status,
            fields,
            body,
        } = response;
        let mut gathered = Vec::new();
        let head = Head::Lines(*status, fields);
        if body.len() > answer::LARGEST
            || !answer::write_head(head, body.len(), false, &mut gathered)
        {
            return Passed::Not;
        }
        if body.len() < answer::APART {
            gathered.extend_from_slice(body);
            self.0.write_awaited([&gathered, &[]])
        } else {
            self.0.write_awaited([&gathered, body])
        }
    }
}
