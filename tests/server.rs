//! The core over real sockets, with a closure as handler and no Node in sight.

mod support;

use support::{GET, Running};
use tokio::sync::mpsc;
use wapix::{Config, Exchange, Request, Response, router::RouteId};

fn echo(request: Request, exchange: Exchange) {
    let line = format!(
        "{} {} {:?}",
        request.route.get(),
        request.path(),
        String::from_utf8_lossy(request.body.as_bytes())
    );
    exchange.respond(Response::text(line));
}

#[tokio::test]
async fn a_closure_answers_a_matched_request() {
    let server = Running::start(&[("GET", "/users/:id"), ("POST", "/users")], echo).await;
    let mut client = server.connect().await;

    let answer = client
        .request("GET /users/caf%C3%A9 HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "0 /users/café \"\"");

    // The connection is kept.
    let post = "POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.request(post).await.text(), "1 /users \"hello\"");
}

#[tokio::test]
async fn what_needs_no_handler_is_answered_without_one() {
    let unused = |_: Request, _: Exchange| unreachable!("no route was matched");
    let server = Running::start(&[("GET", "/a"), ("POST", "/a")], unused).await;
    let mut client = server.connect().await;

    let missing = client.request("GET /b HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        (missing.status, missing.text()),
        (404, r#"{"error":"Not Found"}"#)
    );

    let refused = client.request("PUT /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(refused.status, 405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD, POST, OPTIONS"));

    let options = client
        .request("OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(options.status, 204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, POST, OPTIONS"));

    let malformed = client.request("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn what_no_route_matches_is_handed_over_where_that_is_asked_for() {
    let config = Config {
        unmatched: Some(RouteId::new(7)),
        ..Config::default()
    };
    let tell = |request: Request, exchange: Exchange| {
        let (route, path) = (request.route.get(), request.path().to_owned());
        exchange.respond(Response::text(format!(
            "{route} {path} {}",
            request.allowed
        )));
    };
    let routes = [("GET", "/:a"), ("PUT", "/x"), ("OPTIONS", "/own")];
    let server = Running::start_with(config, &routes, tell).await;
    let mut client = server.connect().await;
    for (line, told) in [
        ("GET /x", "0 /x "),
        // Of all patterns that match; a handler of OPTIONS may be asked in the server's place.
        ("OPTIONS /own", "2 /own GET, HEAD, OPTIONS"),
        ("POST /x", "7 /x GET, HEAD, PUT, OPTIONS"),
        ("OPTIONS /caf%C3%A9", "7 /café GET, HEAD, OPTIONS"),
        ("DELETE /own", "7 /own GET, HEAD, OPTIONS"),
        ("GET /x/y", "7 /x/y "),
        ("OPTIONS //", "7 // "),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(client.request(&request).await.text(), told, "{line}");
    }
    // Nobody is asked about a method that no route can have.
    for (line, status) in [("TRACE /x", 405), ("TRACE /x/y", 404), ("OPTIONS *", 204)] {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(client.request(&request).await.status, status, "{line}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Running::start(&[("GET", "/:n")], echo).await;
    let mut client = server.connect().await;
    let requests: String = (0..20)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .collect();
    client.send(requests.as_bytes()).await;
    for n in 0..20 {
        assert_eq!(client.answer().await.text(), format!("0 /{n} \"\""));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let config = Config {
        body_limit: 10,
        ..Config::default()
    };
    let server = Running::start_with(config, &[("POST", "/")], echo).await;

    let announced = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world";
    let answer = server.connect().await.request(announced).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (413, Some("close"))
    );

    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                   6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n";
    assert_eq!(server.connect().await.request(chunked).await.status, 413);

    let allowed = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhelloworld";
    assert_eq!(server.connect().await.request(allowed).await.status, 200);
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_sends_on() {
    let config = Config {
        body_limit: 10,
        ..Config::default()
    };
    let server = Running::start_with(config, &[("POST", "/")], echo).await;
    let mut client = server.connect().await;
    let length = 4 << 20;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    client.send(head.as_bytes()).await;
    client.send(&vec![b'x'; length]).await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn a_malformed_request_is_400_and_the_connection_closes() {
    let server = Running::start(&[("GET", "/")], echo).await;
    let mut client = server.connect().await;
    client
        .send(b"GET / HTTP/1.1\r\nno colon here\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn what_came_before_a_malformed_request_is_answered() {
    let server = Running::start(&[("GET", "/:n")], echo).await;
    let mut client = server.connect().await;
    client
        .send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.text(), "0 /1 \"\"");
    assert_eq!(client.answer().await.status, 400);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_exchange_dropped_or_a_handler_that_panics_is_500_and_the_server_lives() {
    let server = Running::start(
        &[("GET", "/drop"), ("GET", "/panic")],
        |request: Request, _| {
            assert_eq!(request.route.get(), 0, "a panic on purpose");
        },
    )
    .await;
    let mut client = server.connect().await;
    for path in ["/panic", "/drop", "/panic"] {
        let answer = client
            .request(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(answer.status, 500, "{path}");
        assert_eq!(answer.text(), r#"{"error":"Internal Server Error"}"#);
    }
}

#[tokio::test]
async fn a_graceful_shutdown_answers_what_is_in_flight_and_frees_the_port() {
    let (keep, mut kept) = mpsc::unbounded_channel();
    let server = Running::start(&[("GET", "/")], move |_: Request, exchange: Exchange| {
        let _ = keep.send(exchange);
    })
    .await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(GET.as_bytes()).await;
    let exchange = kept.recv().await.unwrap();
    server.shutdown.graceful(std::time::Duration::from_secs(60));
    assert!(
        idle.is_closed().await,
        "an idle connection does not hold the shutdown up"
    );
    exchange.respond(Response::text("finished"));
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "finished"));
    server.ended().await;
}

#[tokio::test]
async fn a_handler_that_keeps_its_exchange_does_not_keep_the_connection() {
    let (keep, mut kept) = mpsc::unbounded_channel();
    let server = Running::start(&[("GET", "/")], move |_: Request, exchange: Exchange| {
        let _ = keep.send(exchange);
    })
    .await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let exchange = kept.recv().await.unwrap();
    server.shutdown.graceful(std::time::Duration::ZERO);
    assert!(client.is_closed().await);
    exchange.respond(Response::text("to nobody"));
}
