//! The core on a reactor: turned from outside, as Node's event loop does.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;
use wapix::{
    Config, Exchange, Listener, LocalAddress, Request, Response, Server,
    reactor::Reactor,
    router::{Method, RouteId, Router},
};

/// Long enough for any machine, short enough to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn length_of_body(request: Request, exchange: Exchange) {
    exchange.respond(Response::text(request.body.as_bytes().len().to_string()));
}

fn server(listener: Listener) -> Server<fn(Request, Exchange)> {
    let mut router = Router::new();
    router.insert(Method::Get, "/", RouteId::new(0)).unwrap();
    router.insert(Method::Post, "/", RouteId::new(1)).unwrap();
    let config = Config {
        body_limit: 4 << 20,
        ..Config::default()
    };
    Server::new(listener, router, config, length_of_body)
}

/// Serves on this thread while `client` runs on another, and ends gracefully when it has.
fn serve_while<T: Send + 'static>(
    listener: Listener,
    client: impl FnOnce() -> T + Send + 'static,
) -> T {
    let reactor = Reactor::new(1).unwrap();
    let server = server(listener);
    let shutdown = server.shutdown();
    let ended = Arc::new(AtomicBool::new(false));
    let is_ended = Arc::clone(&ended);
    reactor.spawn(async move {
        server.run().await.unwrap();
        is_ended.store(true, Ordering::Relaxed);
    });
    let client = thread::spawn(move || {
        let result = client();
        shutdown.graceful(PATIENCE);
        result
    });
    while !ended.load(Ordering::Relaxed) {
        reactor.turn(None);
    }
    client.join().unwrap()
}

fn tcp() -> (Listener, SocketAddr) {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 64, false).unwrap();
    let LocalAddress::Tcp(address) = listener.local_address().unwrap() else {
        panic!("not a TCP address");
    };
    (listener, address)
}

/// Sends `request`, and reads until what came ends with `end`.
fn ask(stream: &mut (impl Read + Write), request: &[u8], end: &str) -> String {
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(end.as_bytes()) {
        let length = stream.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(answer).unwrap()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn requests_over_tcp_are_answered_one_by_one_pipelined_and_with_large_bodies() {
    let (listener, address) = tcp();
    serve_while(listener, move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        for _ in 0..3 {
            assert!(ask(&mut stream, GET, "\r\n\r\n0").starts_with("HTTP/1.1 200 OK"));
        }
        stream.write_all(&GET.repeat(3)).unwrap();
        stream
            .write_all(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let answers = ask(&mut stream, b"", r#"{"error":"Not Found"}"#);
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3);
        // More than is read at a time, and than the socket holds.
        let mut post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n".to_vec();
        post.resize(post.len() + 3_000_000, b'x');
        ask(&mut stream, &post, "\r\n\r\n3000000");
    });
}

#[test]
fn requests_over_a_unix_socket_are_answered_and_its_file_is_removed() {
    let path = std::env::temp_dir().join(format!("wapix-reactor-{}", std::process::id()));
    let listener = Listener::unix(path.clone()).unwrap();
    let where_to = path.clone();
    serve_while(listener, move || {
        let mut stream = UnixStream::connect(where_to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(&mut stream, GET, "\r\n\r\n0");
    });
    assert!(!path.exists());
}

#[test]
fn many_connections_come_and_go() {
    let (listener, address) = tcp();
    serve_while(listener, move || {
        for _ in 0..5 {
            let mut streams = (0..50)
                .map(|_| TcpStream::connect(address).unwrap())
                .collect::<Vec<_>>();
            for stream in &mut streams {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                ask(stream, GET, "\r\n\r\n0");
            }
        }
    });
}

#[test]
fn what_another_thread_wakes_runs_in_the_turn_that_it_asks_for() {
    let reactor = Reactor::new(1).unwrap();
    let (sender, receiver) = oneshot::channel();
    let heard = Arc::new(AtomicUsize::new(0));
    let hears = Arc::clone(&heard);
    reactor.spawn(async move { hears.store(receiver.await.unwrap(), Ordering::Relaxed) });
    reactor.turn(Some(Duration::ZERO));
    let thread = thread::spawn(move || sender.send(7).unwrap());
    while heard.load(Ordering::Relaxed) == 0 {
        reactor.turn(None);
    }
    thread.join().unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 7);
}

#[test]
fn timers_and_calls_that_block_are_waited_for() {
    let reactor = Reactor::new(1).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    reactor.spawn(async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let blocked = tokio::task::spawn_blocking(|| 7).await.unwrap();
        is_done.store(blocked == 7, Ordering::Relaxed);
    });
    while !done.load(Ordering::Relaxed) {
        reactor.turn(None);
    }
}

#[test]
fn what_is_waked_before_it_runs_waits_for_no_turn() {
    let reactor = Reactor::new(1).unwrap();
    let (sender, receiver) = oneshot::channel();
    let heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard);
    reactor.spawn(async move {
        receiver.await.unwrap();
        hears.store(true, Ordering::Relaxed);
    });
    reactor.turn(Some(Duration::ZERO));
    reactor.run_after(|| sender.send(()).unwrap());
    assert!(heard.load(Ordering::Relaxed));
}

#[test]
fn a_turn_ends_before_tasks_that_give_way_have_kept_its_owner_for_long() {
    let reactor = Reactor::new(1).unwrap();
    let gave_way = Arc::new(AtomicUsize::new(0));
    let gives_way = Arc::clone(&gave_way);
    reactor.spawn(async move {
        loop {
            gives_way.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    });
    let times = || {
        reactor.turn(Some(Duration::ZERO));
        gave_way.swap(0, Ordering::Relaxed)
    };
    assert_eq!([times(), times()], [4, 4], "it goes on in the next turn");
    reactor.stop();
}

#[test]
fn a_stop_ends_tasks_where_they_are() {
    struct Ends(Arc<AtomicBool>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let reactor = Reactor::new(1).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let ends = Ends(Arc::clone(&ended));
    reactor.spawn(async move {
        let _ends = ends;
        std::future::pending::<()>().await;
    });
    reactor.turn(Some(Duration::ZERO));
    assert!(!ended.load(Ordering::Relaxed));
    reactor.stop();
    assert!(ended.load(Ordering::Relaxed));
}

#[test]
fn nothing_is_left_of_a_server_whose_reactor_was_not_stopped() {
    let (listener, address) = tcp();
    let reactor = Reactor::new(1).unwrap();
    let server = server(listener);
    reactor.spawn(async move { server.run().await.unwrap() });
    reactor.turn(Some(Duration::ZERO));
    assert!(TcpStream::connect(address).is_ok());
    drop(reactor);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_stop_ends_what_tasks_begin_when_they_are_dropped() {
    struct Begins(Arc<Reactor>, mpsc::Sender<()>);
    impl Drop for Begins {
        fn drop(&mut self) {
            let ended = self.1.clone();
            self.0.spawn(async move {
                let _ended = ended;
                std::future::pending::<()>().await;
            });
        }
    }
    let reactor = Arc::new(Reactor::new(1).unwrap());
    let (ended, ends) = mpsc::channel();
    let begins = Begins(Arc::clone(&reactor), ended);
    reactor.spawn(async move {
        let _begins = begins;
        std::future::pending::<()>().await;
    });
    reactor.turn(Some(Duration::ZERO));
    thread::spawn(move || reactor.stop());
    // Nobody is left who could send.
    let left = ends.recv_timeout(PATIENCE);
    assert_eq!(left, Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_turn_ends_while_a_client_sends_without_a_pause() {
    const MANY: usize = 500_000;
    let (listener, address) = tcp();
    let client = TcpStream::connect(address).unwrap();
    client.set_nonblocking(true).unwrap();
    // More than is read at a time.
    (&client).write_all(&GET.repeat(2000)).unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let handler = move |_: Request, exchange: Exchange| {
        exchange.respond(Response::text("x".to_owned()));
        // The next comes before this has been answered.
        if count.fetch_add(1, Ordering::Relaxed) < MANY {
            let _ = (&client).read(&mut [0; 4096]);
            (&client).write_all(GET).unwrap();
        }
    };
    let mut router = Router::new();
    router.insert(Method::Get, "/", RouteId::new(0)).unwrap();
    let server = Server::new(listener, router, Config::default(), handler);
    let reactor = Reactor::new(1).unwrap();
    reactor.spawn(async move { server.run().await.unwrap() });
    while answered.load(Ordering::Relaxed) == 0 {
        reactor.turn(None);
    }
    assert!(answered.load(Ordering::Relaxed) < MANY);
    let before = answered.load(Ordering::Relaxed);
    reactor.turn(None);
    assert!(
        answered.load(Ordering::Relaxed) > before,
        "it goes on in the next turn"
    );
}
