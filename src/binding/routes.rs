//! The routes of a server, as JavaScript hands them over.

use napi::bindgen_prelude::Result;
use napi_derive::napi;

use super::coded;
use crate::{
    RouteConfig,
    router::{InsertError, Method, RouteId, Router},
};

#[napi(object)]
pub struct BindingRoute {
    /// Upper case.
    pub method: String,
    pub pattern: String,
    /// In bytes.
    pub body_limit: Option<f64>,
    pub streams_body: Option<bool>,
}

/// What is different for each route, by its id.
pub(super) fn configs_of(routes: &[BindingRoute]) -> Vec<RouteConfig> {
    let config = |route: &BindingRoute| RouteConfig {
        // Saturating: `Infinity` is the largest there is.
        body_limit: route.body_limit.map(|limit| limit as usize),
        streams_body: route.streams_body.unwrap_or(false),
    };
    routes.iter().map(config).collect()
}

/// A route's id is its index. `WAPIX_INVALID_ROUTE` or `WAPIX_ROUTE_CONFLICT` where one cannot be used.
pub(super) fn router_of(routes: Vec<BindingRoute>) -> Result<Router, String> {
    let mut router = Router::new();
    for (id, route) in routes.into_iter().enumerate() {
        let BindingRoute {
            method, pattern, ..
        } = route;
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
