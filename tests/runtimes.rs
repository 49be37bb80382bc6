//! One server whose connections are served on several runtimes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{sync::Arc, thread, time::Duration};

use support::{GET, Running, patiently};
use tokio::{
    runtime::{Builder, Handle},
    sync::{Notify, oneshot},
};
use wapix::{Config, Exchange, Request, Response, Server};

/// A runtime on a thread of that name, until the sender is dropped.
fn runtime(name: &str) -> (Handle, oneshot::Sender<()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let (running, ended) = oneshot::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(ended))
        .unwrap();
    (handle, running)
}

fn tell_thread(_: Request, exchange: Exchange) {
    let name = thread::current().name().unwrap_or("none").to_owned();
    exchange.respond(Response::text(name));
}

#[tokio::test]
async fn each_connection_is_served_where_the_fewest_are() {
    let (one, _one) = runtime("one");
    let (two, _two) = runtime("two");
    let server = Running::start_made(&[("GET", "/")], |listener, router| {
        Server::new(
            listener,
            router,
            Config::default(),
            tell_thread as fn(Request<'_>, Exchange),
        )
        .with_runtime(one, tell_thread)
        .with_runtime(two, tell_thread)
    })
    .await;
    let mut clients = Vec::new();
    let mut told = Vec::new();
    for _ in 0..6 {
        let mut client = server.connect().await;
        told.push(client.request(GET).await.text().to_owned());
        clients.push(client);
    }
    let here = thread::current().name().unwrap().to_owned();
    for three in told.chunks_mut(3) {
        three.sort();
        let mut expected = [here.clone(), "one".to_owned(), "two".to_owned()];
        expected.sort();
        assert_eq!(three, expected);
    }
    server.shutdown.now();
    server.ended().await;
}

#[tokio::test]
async fn a_server_waits_for_what_is_answered_elsewhere() {
    let (elsewhere, _running) = runtime("elsewhere");
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let wait = {
        let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
        move |_: Request, exchange: Exchange| {
            asked.notify_one();
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                answer.notified().await;
                exchange.respond(Response::text("waited for"));
            });
        }
    };
    let server = Running::start_made(&[("GET", "/")], |listener, router| {
        Server::new(listener, router, Config::default(), wait.clone()).with_runtime(elsewhere, wait)
    })
    .await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    for client in [&mut one, &mut two] {
        client.send(GET.as_bytes()).await;
        patiently(asked.notified()).await;
    }
    server.shutdown.graceful(Duration::from_secs(60));
    let ended = tokio::spawn(server.ended());
    for client in [&mut one, &mut two] {
        assert!(!ended.is_finished());
        answer.notify_one();
        assert_eq!(client.answer().await.text(), "waited for");
    }
    ended.await.unwrap();
}
