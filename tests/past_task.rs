//! Answers that another thread writes to the socket, past the task that waits for them on a reactor.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    collections::HashSet,
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

use support::{
    Client, GET,
    protocol::{CHUNK, CONSUMED, END, REQUEST, RESPOND, STREAM, TEXT},
};
use tokio::task::JoinSet;
use wapix::{
    Config, Listener, LocalAddress, Server,
    bridge::{Bridge, Taken},
    reactor::Reactor,
    router::{Method, RouteId, Router},
};

/// Long enough for any machine, short enough to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a thread waits for something to happen, before another may turn the reactor.
const TURN: Duration = Duration::from_millis(1);

/// Runs `clients` beside a server of `/`, whose reactor so many threads turn, whichever comes first, and one more
/// that plays JavaScript: `answer` is given the slot and the serial of each request.
fn beside<T>(
    turning: usize,
    answer: impl Fn(&Bridge, [u32; 2]) + Send,
    clients: impl FnOnce(SocketAddr) -> T,
) -> T {
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
    let result = thread::scope(|scope| {
        for _ in 0..turning {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    if reactor.turn(Some(TURN)).is_none() {
                        thread::yield_now();
                    }
                }
            });
        }
        let answering = Arc::clone(&bridge);
        scope.spawn(move || answer_all(&answering, &woken, answer));
        let result = clients(address);
        is_over.store(true, Ordering::Relaxed);
        end.send(false).unwrap();
        result
    });
    reactor.stop();
    result
}

/// Answers each request as soon as there is one, while it is woken with `true`.
fn answer_all(bridge: &Bridge, woken: &mpsc::Receiver<bool>, answer: impl Fn(&Bridge, [u32; 2])) {
    let (mut words, mut bytes, mut apart) = (vec![0; 4096], vec![0; 65536], Vec::new());
    while woken.recv().unwrap() {
        while let Taken::Batch { words: count, .. } =
            bridge.take(&mut words, &mut bytes, &mut apart)
        {
            let mut at = 0;
            // The words of a batch stand behind one another, however many records those are.
            while at < count {
                let record = &words[at..];
                at += match record[0] & 0xff {
                    REQUEST => 12 + 2 * record[11] as usize,
                    CONSUMED => 4,
                    _ => 3,
                };
                if record[0] & 0xff == REQUEST {
                    answer(bridge, [record[1], record[2]]);
                }
            }
        }
    }
}

/// Hands over one record of an answer, alone.
fn deliver(bridge: &Bridge, record: &[u32], text: &str) {
    bridge.answer(record, text.as_bytes(), &[], []);
    bridge.deliver_or_wake();
}

/// Asks again and again, as soon as there is an answer: the first thing that comes which is not one answer.
fn ask_often(address: SocketAddr) -> Option<String> {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 1024];
    (0..5000).find_map(|_| {
        let asked = client.write_all(GET.as_bytes());
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
    let empty = |bridge: &Bridge, [slot, serial]: [u32; 2]| {
        deliver(bridge, &[RESPOND, slot, serial, 200, 0, 0], "")
    };
    assert_eq!(beside(1, empty, ask_often), None);
}

/// The contents of so many answers, asked for one after the other.
async fn contents(address: SocketAddr) -> Vec<String> {
    let mut client = Client::connect(address).await;
    let mut contents = Vec::new();
    for _ in 0..300 {
        client.send(GET.as_bytes()).await;
        let answer = client.answer().await;
        if answer.header("content-length").is_some() {
            contents.push(answer.text().to_owned());
            continue;
        }
        let mut chunks = Vec::new();
        while let chunk = client.chunk().await
            && !chunk.is_empty()
        {
            chunks.extend(chunk);
        }
        contents.push(String::from_utf8(chunks).unwrap());
    }
    contents
}

#[test]
fn every_answer_comes_once_and_whole_whichever_thread_turns() {
    let own = |bridge: &Bridge, [slot, serial]: [u32; 2]| {
        let text = format!("{serial};");
        let length = text.len() as u32;
        if serial % 2 == 0 {
            let whole = [RESPOND | TEXT, slot, serial, 200, 0, length];
            deliver(bridge, &whole, &text);
            return;
        }
        deliver(bridge, &[STREAM, slot, serial, 200, 0], "");
        for _ in 0..3 {
            deliver(bridge, &[CHUNK | TEXT, slot, serial, length], &text);
        }
        deliver(bridge, &[END, slot, serial], "");
    };
    let contents = beside(2, own, |address| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut clients = JoinSet::new();
            for _ in 0..4 {
                clients.spawn(contents(address));
            }
            clients.join_all().await.concat()
        })
    });
    let serials: HashSet<&str> = contents
        .iter()
        .map(|content| content.split(';').next().unwrap())
        .collect();
    assert_eq!(serials.len(), 4 * 300);
    for content in &contents {
        let (serial, _) = content.split_once(';').unwrap();
        let times = if serial.parse::<u32>().unwrap() % 2 == 0 {
            1
        } else {
            3
        };
        assert_eq!(*content, format!("{serial};").repeat(times));
    }
}
