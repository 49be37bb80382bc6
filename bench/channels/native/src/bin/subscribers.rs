//! Subscribers of a server under measurement: `subscribers PORT COUNT`. For each line on its standard input it
//! prints, as JSON, what has come since the one before.
//!
//! It shares the machine with the server, so it does little: it looks at its sockets every millisecond. A
//! client that waited would be woken by each event, and whoever sends would pay for that.

use std::{
    collections::HashMap,
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::fd::AsRawFd,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    net::sockopt,
};

const REQUEST: &[u8] =
    b"GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What an event says, whose data is `{"tick":N,"at":MICROSECONDS,…}`.
const TICK: &[u8] = b"{\"tick\":";
const AT: &[u8] = b",\"at\":";
const EVENT_END: &[u8] = b"\n\n";

struct Subscriber {
    socket: TcpStream,
    /// The tick of the last event; the next is one more.
    last: Option<u64>,
    /// An event of which more is to come.
    begun: Vec<u8>,
}

/// What has come since it was asked for last.
#[derive(Default)]
struct Count {
    /// How long each event took from its publishing, in microseconds.
    latencies: Vec<u32>,
    /// Events that came twice, or after a later one.
    repeated: u64,
    /// Events that did not come.
    missing: u64,
    closed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().ok_or("which port?")?.parse()?;
    let count: usize = arguments.next().ok_or("how many?")?.parse()?;
    let watch = epoll::create(CreateFlags::CLOEXEC)?;
    let mut subscribers = HashMap::with_capacity(count);
    for _ in 0..count {
        let socket = open(port)?;
        let name = socket.as_raw_fd() as u64;
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&watch, &socket, EventData::new_u64(name), flags)?;
        let subscriber = Subscriber {
            socket,
            last: None,
            begun: Vec::new(),
        };
        subscribers.insert(name, subscriber);
    }
    println!("started");
    let asked = questions();
    let mut counted = Count::default();
    let mut buffer = vec![0; 256 * 1024];
    let mut events = Vec::with_capacity(4096);
    loop {
        while asked.try_recv().is_ok() {
            counted.print(&subscribers)?;
            counted = Count::default();
        }
        events.clear();
        let at_once = rustix::time::Timespec::default();
        epoll::wait(&watch, spare_capacity(&mut events), Some(&at_once))?;
        for event in &events {
            if let Some(subscriber) = subscribers.get_mut(&event.data.u64()) {
                subscriber.read(&mut buffer, &mut counted)?;
            }
        }
        if events.len() < events.capacity() / 2 {
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// A connection that has been answered.
fn open(port: u16) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.write_all(REQUEST)?;
    // The head, and what comes with it: no event yet.
    if socket.read(&mut [0; 4096])? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    socket.set_nonblocking(true)?;
    // Its end is a reset: the next clients want its port.
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    Ok(socket)
}

fn questions() -> Receiver<()> {
    let (ask, asked) = channel();
    thread::spawn(move || {
        for _ in io::stdin().lines() {
            if ask.send(()).is_err() {
                return;
            }
        }
        // Nobody is there any more.
        std::process::exit(0);
    });
    asked
}

impl Subscriber {
    fn read(&mut self, buffer: &mut [u8], counted: &mut Count) -> io::Result<()> {
        loop {
            let length = match self.socket.read(buffer) {
                Ok(0) => {
                    counted.closed += 1;
                    return Ok(());
                }
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let now = microseconds();
            if self.begun.is_empty() {
                let rest = self.take(&buffer[..length], now, counted);
                self.begun.extend_from_slice(&buffer[length - rest..length]);
            } else {
                self.begun.extend_from_slice(&buffer[..length]);
                let begun = std::mem::take(&mut self.begun);
                let rest = self.take(&begun, now, counted);
                self.begun.extend_from_slice(&begun[begun.len() - rest..]);
            }
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Counts whole events. How many bytes are left, of one that is not whole.
    fn take(&mut self, mut bytes: &[u8], now: u64, counted: &mut Count) -> usize {
        while let Some(end) = find(bytes, EVENT_END) {
            self.count(&bytes[..end], now, counted);
            bytes = &bytes[end + EVENT_END.len()..];
        }
        bytes.len()
    }

    fn count(&mut self, event: &[u8], now: u64, counted: &mut Count) {
        let tick = find(event, TICK).map(|start| number(&event[start + TICK.len()..]));
        let at = find(event, AT).map(|start| number(&event[start + AT.len()..]));
        let (Some(tick), Some(at)) = (tick, at) else {
            // `retry`, or a comment.
            return;
        };
        if let Some(last) = self.last {
            counted.repeated += u64::from(tick <= last);
            counted.missing += tick.saturating_sub(last + 1);
        }
        self.last = Some(tick);
        let latency = u32::try_from(now.saturating_sub(at)).unwrap_or(u32::MAX);
        counted.latencies.push(latency);
    }
}

impl Count {
    fn print(&mut self, subscribers: &HashMap<u64, Subscriber>) -> io::Result<()> {
        self.latencies.sort_unstable();
        let count = self.latencies.len();
        let part = |of: f64| self.latencies.get((count as f64 * of) as usize);
        let last = subscribers.values().map(|subscriber| subscriber.last);
        let (first, newest) = (last.clone().min().flatten(), last.max().flatten());
        let lag = newest.unwrap_or(0) - first.unwrap_or(0);
        let line = format!(
            r#"{{"events":{count},"p50":{},"p99":{},"most":{},"repeated":{},"missing":{},"closed":{},"lag":{lag}}}"#,
            part(0.5).unwrap_or(&0),
            part(0.99).unwrap_or(&0),
            self.latencies.last().unwrap_or(&0),
            self.repeated,
            self.missing,
            self.closed,
        );
        let mut output = io::stdout().lock();
        writeln!(output, "{line}")
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0, |number, digit| 10 * number + u64::from(digit - b'0'))
}

fn microseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}
