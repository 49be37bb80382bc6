//! A reactor that two threads turn, whichever comes first, while a third answers past its tasks: as Node's loop, the
//! thread that relieves it, and JavaScript.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Write},
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
/// How long a thread waits for something to happen, before the other may have its turn.
const TURN: Duration = Duration::from_millis(1);
const CLIENTS: usize = 4;
const REQUESTS: usize = 300;

// As `src/bridge/protocol.rs` documents them.
const REQUEST: u32 = 1;
const CONSUMED: u32 = 3;
const RESPOND: u32 = 1;
const STREAM: u32 = 2;
const CHUNK: u32 = 3;
const END: u32 = 4;
const CONTENT_TEXT: u32 = 1 << 16;

/// The slots, serials and routes of the requests of a batch.
fn requests(mut words: &[u32]) -> Vec<[u32; 3]> {
    let mut found = Vec::new();
    while let [first, slot, serial, ..] = *words {
        let length = match first & 0xff {
            REQUEST => {
                found.push([slot, serial, words[3]]);
                12 + 2 * words[11] as usize
            }
            CONSUMED => 4,
            _ => 3,
        };
        words = &words[length..];
    }
    found
}

/// Plays JavaScript: one route answers at once, the other with a stream of three chunks, each handed over alone.
fn answer_all(bridge: &Bridge, woken: &mpsc::Receiver<bool>) {
    let (mut words, mut bytes, mut apart) = (vec![0; 4096], vec![0; 65536], Vec::new());
    while woken.recv().unwrap() {
        while let Taken::Batch { words: count, .. } =
            bridge.take(&mut words, &mut bytes, &mut apart)
        {
            for [slot, serial, route] in requests(&words[..count]) {
                let answer = |words: &[u32], text: &str| {
                    bridge.answer(words, text.as_bytes(), &[], []);
                    bridge.deliver_or_wake();
                };
                if route == 0 {
                    let whole = [RESPOND | CONTENT_TEXT, slot, serial, 200, 0, 5];
                    answer(&whole, "whole");
                    continue;
                }
                answer(&[STREAM, slot, serial, 200, 0], "");
                for chunk in ["one", "two", "three"] {
                    let length = chunk.len() as u32;
                    answer(&[CHUNK | CONTENT_TEXT, slot, serial, length], chunk);
                }
                answer(&[END, slot, serial], "");
            }
        }
    }
}

/// The content of the next response, which is whole or in chunks.
fn content(client: &mut impl BufRead) -> String {
    let mut line = String::new();
    let mut next = |client: &mut dyn BufRead| {
        line.clear();
        client.read_line(&mut line).unwrap();
        line.trim_end().to_ascii_lowercase()
    };
    let status = next(client);
    assert_eq!(status, "http/1.1 200 ok");
    let mut length = None;
    loop {
        let field = next(client);
        if field.is_empty() {
            break;
        }
        if let Some(value) = field.strip_prefix("content-length: ") {
            length = value.parse().ok();
        }
    }
    let mut content = Vec::new();
    let mut read = |client: &mut dyn BufRead, length: usize| {
        let before = content.len();
        content.resize(before + length, 0);
        client.read_exact(&mut content[before..]).unwrap();
    };
    match length {
        Some(length) => read(client, length),
        None => loop {
            let length = usize::from_str_radix(&next(client), 16).unwrap();
            read(client, length);
            assert_eq!(next(client), "");
            if length == 0 {
                break;
            }
        },
    }
    String::from_utf8(content).unwrap()
}

/// Asks for both in turn, as soon as there is an answer.
fn ask_often(address: SocketAddr) {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = BufReader::new(client);
    for (path, expected) in [("/whole", "whole"), ("/stream", "onetwothree")]
        .iter()
        .cycle()
        .take(REQUESTS)
    {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        client.get_mut().write_all(request.as_bytes()).unwrap();
        assert_eq!(content(&mut client), *expected);
    }
}

#[test]
fn every_client_gets_its_own_answers_whichever_thread_turns() {
    let (wake, woken) = mpsc::channel();
    let end = wake.clone();
    let bridge = Bridge::new(Box::new(move || wake.send(true).unwrap_or_default()));
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 64, false).unwrap();
    let LocalAddress::Tcp(address) = listener.local_address().unwrap() else {
        panic!("not a TCP address");
    };
    let mut router = Router::new();
    for (id, path) in ["/whole", "/stream"].into_iter().enumerate() {
        let route = RouteId::new(id as u32);
        router.insert(Method::Get, path, route).unwrap();
    }
    let server = Server::new(listener, router, Config::default(), Arc::clone(&bridge));
    let reactor = Reactor::new(1).unwrap();
    let run = Arc::clone(&bridge);
    reactor.spawn(async move { run.run().await });
    reactor.spawn(async move { server.run().await.unwrap() });

    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    if reactor.turn(Some(TURN)).is_none() {
                        thread::yield_now();
                    }
                }
            });
        }
        let answering = Arc::clone(&bridge);
        scope.spawn(move || answer_all(&answering, &woken));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| ask_often(address)))
            .collect();
        let all = clients.into_iter().map(thread::ScopedJoinHandle::join);
        let failed = all.filter(Result::is_err).count();
        is_over.store(true, Ordering::Relaxed);
        end.send(false).unwrap();
        assert_eq!(failed, 0);
    });
    reactor.stop();
}
