//! Connections that are idle for longer than they are worth keeping memory for.

mod support;

use std::time::Duration;

use support::{Client, GET, Running};
use tokio::{sync::mpsc, time};
use wapix::{Config, Exchange, Listener, LocalAddress, Request, Response, Server, router};

fn path(request: Request, exchange: Exchange) {
    exchange.respond(Response::text(request.path().to_owned()));
}

const ROUTES: &[(&str, &str)] = &[("GET", "/"), ("GET", "/:any")];

/// Lets that much time pass.
async fn pass(seconds: u64) {
    time::pause();
    time::advance(Duration::from_secs(seconds)).await;
    time::resume();
}

/// A connection that has had an answer, and has been idle since for as many seconds.
async fn idle(config: Config, seconds: u64) -> (Running, Client) {
    let server = Running::start_with(config, ROUTES, path).await;
    let mut client = server.connect().await;
    assert_eq!(client.request(GET).await.text(), "/");
    pass(seconds).await;
    (server, client)
}

#[tokio::test]
async fn a_request_after_a_long_time_is_answered_as_the_first_was() {
    let (_server, mut client) = idle(Config::default(), 10).await;
    for _ in 0..3 {
        assert_eq!(client.request(GET).await.text(), "/");
        assert_eq!(client.request(GET).await.text(), "/");
        pass(3).await;
    }
    let pipelined = client.request(&GET.repeat(2)).await;
    assert_eq!(pipelined.text(), "/");
    assert_eq!(client.answer().await.text(), "/");
}

#[tokio::test]
async fn what_has_come_of_a_request_is_not_lost() {
    let server = Running::start(ROUTES, path).await;
    let mut client = server.connect().await;
    // The beginning of the second request comes with the first.
    let more = format!("{GET}GET /second HTTP/1.1\r\nHo");
    assert_eq!(client.request(&more).await.text(), "/");
    pass(10).await;
    let answer = client.request("st: x\r\n\r\n").await;
    assert_eq!(answer.text(), "/second");
    // One that comes byte by byte, as slowly.
    for byte in GET.as_bytes() {
        client.send(&[*byte]).await;
    }
    assert_eq!(client.answer().await.text(), "/");
}

#[tokio::test]
async fn a_head_that_stalls_times_out_as_on_a_new_connection() {
    let config = Config {
        headers_timeout: Some(Duration::from_secs(30)),
        ..Config::default()
    };
    let (server, mut client) = idle(config, 10).await;
    client.send(b"GET / HTTP/1.1\r\n").await;
    // What comes later is answered, so this was read.
    server.connect().await.request(GET).await;
    pass(31).await;
    assert_eq!(client.answer().await.status, 408);
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_it_has_waited_for_long_enough() {
    let config = Config {
        keep_alive_timeout: Some(Duration::from_secs(75)),
        ..Config::default()
    };
    let (server, mut client) = idle(config.clone(), 3).await;
    pass(71).await;
    assert_eq!(client.request(GET).await.text(), "/");
    pass(3).await;
    pass(74).await;
    assert!(client.is_closed().await);
    drop(server);

    let short = Config {
        keep_alive_timeout: Some(Duration::from_secs(1)),
        ..config
    };
    let (_server, mut client) = idle(short, 2).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_shutdown_closes_it_at_once() {
    let (server, mut client) = idle(Config::default(), 10).await;
    server.shutdown.graceful(Duration::from_secs(3600));
    assert!(client.is_closed().await);
    server.ended().await;
}

#[tokio::test]
async fn memory_is_given_back_when_many_connections_have_become_idle() {
    let mut routes = router::Router::new();
    let get = router::Method::Get;
    routes
        .insert(get, "/", router::RouteId::new(0))
        .expect("one route");
    let local = "127.0.0.1:0".parse().expect("an address");
    let listener = Listener::tcp(local, 2048, false).expect("a port");
    let Ok(LocalAddress::Tcp(address)) = listener.local_address() else {
        panic!("listens on TCP");
    };
    let (given_back, mut heard) = mpsc::unbounded_channel();
    let server = Server::new(listener, routes, Config::default(), path).with_lull(move || {
        let _ = given_back.send(());
    });
    tokio::spawn(server.run());
    let mut clients = Vec::new();
    for _ in 0..1100 {
        let mut client = Client::connect(address).await;
        assert_eq!(client.request(GET).await.text(), "/");
        clients.push(client);
    }
    assert!(heard.try_recv().is_err());
    pass(10).await;
    heard.recv().await;
    for client in &mut clients {
        assert_eq!(client.request(GET).await.text(), "/");
    }
}
