//! A server on a port of its own, and a client that sees every byte.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod protocol;

use std::{mem::MaybeUninit, net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinHandle,
};
use wapix::{
    Config, Handler, Listener, LocalAddress, Server, Shutdown,
    router::{Method, RouteId, Router},
};

/// The shortest request there is.
pub const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Long enough for any machine, short enough to name the step that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Running {
    pub shutdown: Shutdown,
    address: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub async fn start(routes: &[(&str, &str)], handler: impl Handler) -> Self {
        Self::start_with(Config::default(), routes, handler).await
    }

    pub async fn start_with(
        config: Config,
        routes: &[(&str, &str)],
        handler: impl Handler,
    ) -> Self {
        Self::start_made(routes, |listener, router| {
            Server::new(listener, router, config, handler)
        })
        .await
    }

    pub async fn start_made<H: Handler>(
        routes: &[(&str, &str)],
        make: impl FnOnce(Listener, Router) -> Server<H>,
    ) -> Self {
        let mut router = Router::new();
        for (id, (method, pattern)) in routes.iter().enumerate() {
            let method = Method::from_http(&method.parse().unwrap()).unwrap();
            router
                .insert(method, pattern, RouteId::new(id as u32))
                .unwrap();
        }
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 64, false).unwrap();
        let address = match listener.local_address().unwrap() {
            LocalAddress::Tcp(address) => address,
            #[cfg(unix)]
            other @ LocalAddress::Unix(_) => panic!("{other:?}"),
        };
        let server = make(listener, router);
        let shutdown = server.shutdown();
        let task = tokio::spawn(server.run());
        Self {
            shutdown,
            address,
            task,
        }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Waits for the server's end: nothing of it is left, and its port is free.
    pub async fn ended(self) {
        patiently(self.task).await.unwrap().unwrap();
        assert!(TcpStream::connect(self.address).await.is_err());
    }
}

pub struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        patiently(self.stream.get_mut().write_all(bytes))
            .await
            .unwrap();
    }

    /// Whether something has arrived, of which nothing was read.
    pub fn has_answer(&self) -> bool {
        let socket = SockRef::from(self.stream.get_ref());
        matches!(socket.peek(&mut [MaybeUninit::uninit()]), Ok(1..))
    }

    pub async fn request(&mut self, request: &str) -> Answer {
        self.send(request.as_bytes()).await;
        self.answer().await
    }

    /// A response's head.
    pub async fn head(&mut self) -> Answer {
        let status_line = self.line().await;
        let status = status_line
            .split(' ')
            .nth(1)
            .unwrap_or_else(|| panic!("{status_line:?}"));
        let mut answer = Answer {
            status: status.parse().unwrap(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            answer
                .headers
                .push((name.to_ascii_lowercase(), value.to_owned()));
        }
        answer
    }

    /// A response with a `Content-Length`, or without content.
    pub async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        answer.body.resize(length, 0);
        patiently(self.stream.read_exact(&mut answer.body))
            .await
            .unwrap();
        answer
    }

    /// The next chunk; the last one is empty.
    pub async fn chunk(&mut self) -> Vec<u8> {
        let line = self.line().await;
        let length = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("{line:?}"));
        let mut chunk = vec![0; length];
        patiently(self.stream.read_exact(&mut chunk)).await.unwrap();
        assert_eq!(self.line().await, "");
        chunk
    }

    /// The next `length` bytes.
    pub async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        patiently(self.stream.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// Whether the connection ends with a reset, rather than a FIN.
    pub async fn is_reset(&mut self) -> bool {
        patiently(self.stream.read_to_end(&mut Vec::new()))
            .await
            .is_err()
    }

    /// Everything up to the connection's end.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset ends the connection as well as a FIN does.
        let _ = patiently(self.stream.read_to_end(&mut rest)).await;
        rest
    }

    /// Whether the connection ends without another byte.
    pub async fn is_closed(&mut self) -> bool {
        self.rest().await.is_empty()
    }

    /// Leaves without a goodbye.
    pub fn reset(self) {
        let stream = self.stream.into_inner().into_std().unwrap();
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// A line, each byte a character: field values may be Latin-1.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        patiently(self.stream.read_until(b'\n', &mut line))
            .await
            .unwrap();
        line.iter()
            .map(|byte| char::from(*byte))
            .collect::<String>()
            .trim_end()
            .to_owned()
    }
}

pub async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("waited too long")
}
