//! Tasks, run by whoever runs the task that begins them: a reactor, or tokio's runtime.

use tokio::task::JoinSet;

#[cfg(unix)]
pub(crate) use crate::reactor::is_current as is_in_reactor;

#[cfg(not(unix))]
fn is_in_reactor() -> bool {
    false
}

/// Begins a task.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if is_in_reactor() {
        tokio::task::spawn_local(task);
    } else {
        tokio::spawn(task);
    }
}

/// Begins a task of `tasks`.
pub(crate) fn spawn_in(tasks: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
    if is_in_reactor() {
        tasks.spawn_local(task);
    } else {
        tasks.spawn(task);
    }
}
