//! Answers that another thread writes to the socket, past the task that waits for them on a reactor.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use wapix::{
    Config, Listener, LocalAddress, Server,
    bridge::{Bridge, Taken},
    reactor::Reactor,
    router::{Method, RouteId, Router},
};

/// Long enough for any machine, short enough to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

// As `src/bridge/protocol.rs` documents them.
const REQUEST: u32 = 1;
const RESPOND: u32 = 1;

/// Plays JavaScript: answers each request as soon as there is one, while it is woken with `true`.
fn answer_all(bridge: &Bridge, woken: &mpsc::Receiver<bool>) {
    let (mut words, mut bytes, mut apart) = (vec![0; 1024], vec![0; 4096], Vec::new());
    while woken.recv().unwrap() {
        while let Taken::Batch { .. } = bridge.take(&mut words, &mut bytes, &mut apart) {
            let [first, slot, serial, ..] = words[..] else {
                unreachable!()
            };
            if first & 0xff == REQUEST {
                bridge.answer(&[RESPOND, slot, serial, 200, 0, 0], b"", &[], []);
                bridge.deliver_or_wake();
            }
        }
    }
}

/// Asks again and again, as soon as there is an answer: the first thing that comes which is not one answer.
fn ask_often(address: SocketAddr) -> Option<String> {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 1024];
    (0..5000).find_map(|_| {
        let asked = client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let length = asked.and_then(|()| client.read(&mut buffer));
        let answer = match length {
            Ok(length) => String::from_utf8_lossy(&buffer[..length]).into_owned(),
            Err(error) => error.to_string(),
        };
        let is_one =
            answer.starts_with("HTTP/1.1 200 OK") && answer.matches("HTTP/1.1").count() == 1;
        (!is_one).then_some(answer)
    })
}

#[test]
fn a_request_is_answered_once_however_soon_the_next_comes() {
    let (wake, woken) = mpsc::channel();
    let end = wake.clone();
    let bridge = Bridge::new(Box::new(move || wake.send(true).unwrap_or_default()));
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 64, false).unwrap();
    let LocalAddress::Tcp(address) = listener.local_address().unwrap() else {
        panic!("not a TCP address");
    };
    let mut router = Router::new();
    router.insert(Method::Get, "/", RouteId::new(0)).unwrap();
    let server = Server::new(listener, router, Config::default(), Arc::clone(&bridge));
    let reactor = Reactor::new(1).unwrap();
    let run = Arc::clone(&bridge);
    reactor.spawn(async move { run.run().await });
    reactor.spawn(async move { server.run().await.unwrap() });

    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                reactor.turn(None);
            }
            reactor.stop();
        });
        let answering = Arc::clone(&bridge);
        scope.spawn(move || answer_all(&answering, &woken));
        let wrong = ask_often(address);
        is_over.store(true, Ordering::Relaxed);
        reactor.wake();
        end.send(false).unwrap();
        assert_eq!(wrong, None);
    });
}
