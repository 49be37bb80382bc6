//! wapix as the addon has it in Node's loop, and what Node and JavaScript do there.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::io::{Interest, unix::AsyncFd};
use wapix::{
    Config, Listener, LocalAddress, Server,
    bridge::{Bridge, Taken},
    reactor::Reactor,
    router::{Method, RouteId, Router},
};

use super::{CONTENT, Outcome};

// As `src/bridge/protocol.rs` documents them.
const REQUEST_RECORD: u32 = 1;
const RESPOND_JSON_TEXT: u32 = 1 | 1 << 8 | 1 << 16;
const PARAMETER_COUNT: usize = 11;
const FIXED_WORDS: usize = 12;

pub(super) fn serve() -> Outcome<SocketAddr> {
    let mut router = Router::new();
    router.insert(Method::Get, "/users/:id", RouteId::new(0))?;
    let listener = Listener::tcp("127.0.0.1:0".parse()?, 64, false)?;
    let address = match listener.local_address()? {
        LocalAddress::Tcp(address) => address,
        LocalAddress::Unix(_) => return Err("not a TCP address".into()),
    };
    let work = Arc::new(AtomicBool::new(false));
    let has_work = Arc::clone(&work);
    let bridge = Bridge::new(Box::new(move || has_work.store(true, Ordering::Release)));
    let reactor = Reactor::new(1)?;
    let run = Arc::clone(&bridge);
    reactor.spawn(async move { run.run().await });
    let server = Server::new(listener, router, Config::default(), Arc::clone(&bridge));
    reactor.spawn(async move {
        if let Err(error) = server.run().await {
            eprintln!("{error}");
        }
    });
    // SAFETY: a reactor keeps its descriptor, the same one, open for as long as it lives, which is in there.
    #[expect(unsafe_code, reason = "tokio has no safe way to watch a descriptor")]
    let reactor = unsafe { AsyncFd::register_with_interest(reactor, Interest::READABLE)? };
    tokio::spawn(turn(reactor, work, bridge));
    Ok(address)
}

/// Node's part, and JavaScript's: turns the reactor when it has something to do, takes batch after batch, and
/// answers each whole.
async fn turn(
    reactor: AsyncFd<Reactor>,
    work: Arc<AtomicBool>,
    bridge: Arc<Bridge>,
) -> std::io::Result<()> {
    let (mut words, mut bytes) = (vec![0; 32 * 1024], vec![0; 256 * 1024]);
    let (mut answers, mut text) = (Vec::new(), String::new());
    loop {
        let mut ready = reactor.readable().await?;
        // Before the turn: what comes after it is told of again.
        ready.clear_ready();
        reactor.get_ref().turn(Some(Duration::ZERO));
        while work.swap(false, Ordering::AcqRel) {
            while let Taken::Batch { words: count, .. } =
                bridge.take(&mut words, &mut bytes, &mut Vec::new())
            {
                answers.clear();
                text.clear();
                let mut records = &words[..count];
                while let [first, slot, serial, ..] = records {
                    if first & 0xff == REQUEST_RECORD {
                        answers.extend([RESPOND_JSON_TEXT, *slot, *serial, 200, 0]);
                        answers.push(CONTENT.len() as u32);
                        text.push_str(CONTENT);
                    }
                    let parameters = records.get(PARAMETER_COUNT).map_or(0, |count| 2 * count);
                    records = records
                        .get(FIXED_WORDS + parameters as usize..)
                        .unwrap_or(&[]);
                }
                bridge.answer(&answers, text.as_bytes(), &[], []);
                reactor.get_ref().run_after(|| bridge.deliver());
            }
        }
    }
}
