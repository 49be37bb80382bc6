//! The routes of a server, as JavaScript hands them over.

use napi::bindgen_prelude::Result;
use napi_derive::napi;

use super::coded;
use crate::router::{InsertError, Method, RouteId, Router};

#[napi(object)]
pub struct BindingRoute {
    /// Upper case.
    pub method: String,
    pub pattern: String,
}

/// A route's id is its index. `WAPIX_INVALID_ROUTE` or `WAPIX_ROUTE_CONFLICT` where one cannot be used.
pub(super) fn router_of(routes: Vec<BindingRoute>) -> Result<Router, String> {
    let mut router = Router::new();
    for (id, BindingRoute { method, pattern }) in routes.into_iter().enumerate() {
        let method = http::Method::from_bytes(method.as_bytes())
            .ok()
            .as_ref()
            .and_then(Method::from_http)
            .ok_or_else(|| coded("WAPIX_INVALID_ROUTE", format!("{pattern}: {method}")))?;
        router
            .insert(method, &pattern, RouteId::new(id as u32))
            .map_err(|error| {
                let conflict = matches!(error, InsertError::Conflict { .. });
                let code = if conflict {
                    "WAPIX_ROUTE_CONFLICT"
                } else {
                    "WAPIX_INVALID_ROUTE"
                };
                coded(code, error)
            })?;
    }
    Ok(router)
}
