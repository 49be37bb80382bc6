//! What the server answers by itself.

use bytes::Bytes;
use http::{HeaderValue, Response as HttpResponse, StatusCode, header};

use crate::{
    body::ResponseBody,
    request_body::RefusedBody,
    router::{Method, MethodSet},
    service::HyperResponse,
};

/// The answer to what no route matches, of a path that has the methods `allowed`.
pub(crate) fn unmatched(method: Option<Method>, allowed: MethodSet) -> HyperResponse {
    if allowed.is_empty() {
        return fixed(StatusCode::NOT_FOUND, None);
    }
    if method == Some(Method::Options) {
        return options(allowed);
    }
    let mut response = fixed(StatusCode::METHOD_NOT_ALLOWED, None);
    response
        .headers_mut()
        .insert(header::ALLOW, allowed.as_header_value());
    response
}

/// The answer to OPTIONS, of a path that has these methods.
pub(crate) fn options(methods: MethodSet) -> HyperResponse {
    let mut response = HttpResponse::new(ResponseBody::Full(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
        .headers_mut()
        .insert(header::ALLOW, methods.as_header_value());
    response
}

/// The answer to whoever asks whether the server lives.
pub(crate) fn alive() -> HyperResponse {
    let mut response = HttpResponse::new(ResponseBody::Full(Bytes::from_static(b"alive")));
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer of the server itself: `{"error": reason phrase, "message"?}`.
pub(crate) fn fixed(status: StatusCode, message: Option<&str>) -> HyperResponse {
    let mut content = serde_json::json!({ "error": status.canonical_reason().unwrap_or("") });
    if let Some(message) = message {
        content["message"] = message.into();
    }
    let mut response = HttpResponse::new(ResponseBody::Full(content.to_string().into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// One request more than may be in flight.
pub(crate) fn overloaded() -> HyperResponse {
    let message = "too many requests are in flight";
    let mut response = fixed(StatusCode::SERVICE_UNAVAILABLE, Some(message));
    retry_after(&mut response);
    response
}

/// Load is over in a moment or not at all: the shortest delay that `Retry-After` can say.
fn retry_after(response: &mut HyperResponse) {
    let second = HeaderValue::from_static("1");
    response.headers_mut().insert(header::RETRY_AFTER, second);
}

/// The answer to a body that was not read to its end.
pub(crate) fn refused_body(refused: &RefusedBody) -> HyperResponse {
    let mut response = fixed(refused.status(), Some(&refused.message()));
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        retry_after(&mut response);
    }
    response
}
