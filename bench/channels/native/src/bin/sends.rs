//! What an event to many subscribers costs at least: one `send` for each. It answers whatever it is asked
//! with a response of events, and publishes, from its first line of input on, `BENCH_RATE` events a second of
//! the bytes that wapix sends.

use std::{
    env,
    error::Error,
    io::{self, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::net::{
    AddressFamily, SocketType, acceptfrom, bind, getsockname, listen, socket, sockopt,
};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    transfer-encoding: chunked\r\n\r\nd\r\nretry: 2000\n\n\r\n";
const BACKLOG: i32 = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let rate: u32 = env::var("BENCH_RATE")?.parse()?;
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    bind(&listener, &any)?;
    listen(&listener, BACKLOG)?;
    let address = std::net::SocketAddr::try_from(getsockname(&listener)?)?;
    println!("{}", address.port());
    let sockets = Arc::<Mutex<Vec<TcpStream>>>::default();
    let accepted = Arc::clone(&sockets);
    thread::spawn(move || -> io::Result<()> {
        loop {
            let (socket, _) = acceptfrom(&listener)?;
            sockopt::set_tcp_nodelay(&socket, true)?;
            let mut socket = TcpStream::from(socket);
            if socket.read(&mut [0; 1024])? > 0 {
                socket.write_all(HEAD)?;
            }
            accepted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(socket);
        }
    });
    io::stdin().read_line(&mut String::new())?;
    let begin = Instant::now();
    for tick in 1.. {
        let due = begin + Duration::from_secs(1) * tick / rate;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let event = format!(
            "id: 0123456789ab-{tick}\n\
             data: {{\"tick\":{tick},\"at\":{at},\"message\":\"an event of a usual size\"}}\n\n"
        );
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter_mut() {
            // Who has left is not missed.
            let _ = socket.write(chunk.as_bytes());
        }
    }
    Ok(())
}
