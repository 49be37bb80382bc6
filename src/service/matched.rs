//! What a request matches, and the request that this makes for the handler.

use http::{StatusCode, Version};

use super::{HyperResponse, Service};
use crate::{
    handler::{Fields, Handler, Peer, Request, RequestBody},
    own_answers::{fixed, options, unmatched},
    router::{CanonicalPath, Lookup, Method, MethodSet, Params, RouteId, canonicalize},
};

/// What a request is to be handled as.
pub(super) struct Matched {
    pub(super) route: RouteId,
    params: Params,
    decoded_path: Option<String>,
    allowed: MethodSet,
}

impl Matched {
    /// The request that matched.
    pub(super) fn into_request<'a>(
        self,
        method: Method,
        target: &'a str,
        version: Version,
        fields: Fields<'a>,
        body: RequestBody<'a>,
        peer: &'a Peer,
    ) -> Request<'a> {
        Request {
            route: self.route,
            allowed: self.allowed,
            method,
            params: self.params,
            decoded_path: self.decoded_path,
            target,
            version,
            fields,
            body,
            peer,
        }
    }
}

impl<H: Handler> Service<H> {
    /// The route of a request, or the answer where the server gives it itself.
    pub(super) fn route(
        &self,
        method: Option<Method>,
        path: &str,
    ) -> Result<Matched, Box<HyperResponse>> {
        if path == "*" && method == Some(Method::Options) {
            return Err(Box::new(options(Method::ALL.into_iter().collect())));
        }
        let path = canonicalize(path).map_err(|error| {
            Box::new(fixed(
                StatusCode::BAD_REQUEST,
                Some(&format!("path: {error}")),
            ))
        })?;
        let decoded = || (!path.is_raw()).then(|| path.as_str().to_owned());
        let allowed = match self.router.find(method, &path) {
            Lookup::Route { id, params } => {
                return Ok(Matched {
                    route: id,
                    params,
                    decoded_path: decoded(),
                    allowed: self.allowed_beside(method, &path),
                });
            }
            Lookup::Options(methods) | Lookup::MethodNotAllowed(methods) => methods,
            Lookup::NotFound => MethodSet::EMPTY,
        };
        match self.config.unmatched {
            Some(route) if method.is_some() => Ok(Matched {
                route,
                params: Params::default(),
                decoded_path: decoded(),
                allowed,
            }),
            _ => Err(Box::new(unmatched(method, allowed))),
        }
    }

    /// The methods of a path, for a handler of OPTIONS where one is asked in the server's place.
    fn allowed_beside(&self, method: Option<Method>, path: &CanonicalPath<'_>) -> MethodSet {
        if method != Some(Method::Options) || self.config.unmatched.is_none() {
            return MethodSet::EMPTY;
        }
        match self.router.find(None, path) {
            Lookup::MethodNotAllowed(methods) => methods,
            _ => MethodSet::EMPTY,
        }
    }
}
