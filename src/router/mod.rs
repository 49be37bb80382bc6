//! Which route answers a request: by its method and its path.
//!
//! [`canonicalize`] brings the path into the one form that every decision is made on;
//! [`Router::find`] looks that up.
//!
//! # Patterns
//!
//! | pattern | matches | parameters |
//! | --- | --- | --- |
//! | `/` | `/` only | |
//! | `/users/me` | that path | |
//! | `/users/:id` | any one segment after `/users` | `id` |
//! | `/files/*rest` | one or more segments after `/files` | `rest`, joined by `/` |
//!
//! A literal is compared with the decoded segment, case-sensitively. A parameter is never empty. A name
//! is of letters, digits, `_` and `-`, and occurs once in a pattern. A trailing slash makes no
//! difference, neither in a pattern nor (one of them) in a path; an empty segment (`//`) never matches.
//!
//! # Conflicts
//!
//! The patterns form a tree, a level for each segment:
//!
//! ```text
//! /
//! ├─ users          POST
//! │  ├─ me          POST
//! │  └─ :id         GET
//! │     └─ posts    GET
//! └─ *page          GET
//! ```
//!
//! Where a level branches, there is any number of different literals, at most one parameter and at
//! most one catch-all. Formally, two routes conflict if and only if
//!
//! 1. up to some level their segments are the same literals, or both parameters, or both catch-alls,
//!    and at that level they are two parameters, or two catch-alls, of different names; or
//! 2. their segments are the same at all levels, and so is their method.
//!
//! [`InsertError::Conflict`] names both. So `/users/:id` conflicts with `/users/:name/posts`, but with
//! neither `/users/me` nor `/users/*rest`.
//!
//! # Precedence
//!
//! Level by level, a literal is tried before the parameter, and that before the catch-all. The first
//! pattern in this order that matches *and* has the method is the answer: in the tree above
//! `GET /users/me` is `/users/:id`, and `GET /users/me/posts` is `/users/:id/posts`. `HEAD` is answered
//! by a pattern's `HEAD`, else by its `GET`.
//!
//! Where patterns match and none has the method, the answer lists the methods of all of them, with
//! `OPTIONS`, and with `HEAD` beside `GET`.

mod error;
mod index;
mod method;
mod params;
mod path;
mod pattern;
mod segment;
mod table;
mod tree;
mod word;

pub use error::InsertError;
pub use method::{Method, MethodSet};
pub use params::Params;
pub use path::{CanonicalPath, PathError, canonicalize};
pub use pattern::parameter_names;

use std::sync::OnceLock;

use index::Index;
use tree::Tree;

/// A route, by the number its owner gave it. The router only hands it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RouteId(u32);

impl RouteId {
    /// The route of this number.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// The number of this route.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What [`Router::find`] comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A route handles the request.
    Route {
        /// The route.
        id: RouteId,
        /// The values of its pattern's parameters.
        params: Params,
    },
    /// The path is known, and `OPTIONS` has no handler: 204 (No Content) with these in `Allow`.
    Options(MethodSet),
    /// The path is known, but not with this method: 405 (Method Not Allowed) with these in `Allow`.
    MethodNotAllowed(MethodSet),
    /// No pattern matches the path: 404 (Not Found).
    NotFound,
}

/// Finds routes by method and path. See the [module's documentation](self) for the rules.
///
/// The time of a lookup depends on the path's length and the patterns that match its beginning, not
/// on the number of routes.
///
/// ```
/// use wapix::router::{Lookup, Method, RouteId, Router, canonicalize};
///
/// let mut router = Router::new();
/// router.insert(Method::Get, "/users/:id", RouteId::new(7))?;
///
/// let path = canonicalize("/users/J%C3%BCrgen")?;
/// let Lookup::Route { id, params } = router.find(Some(Method::Get), &path) else {
///     panic!("the path matches");
/// };
/// assert_eq!(id.get(), 7);
/// assert_eq!(params.get(0, &path), Some("Jürgen"));
///
/// let Lookup::MethodNotAllowed(allowed) = router.find(Some(Method::Put), &path) else {
///     panic!("the method does not");
/// };
/// assert_eq!(allowed.to_string(), "GET, HEAD, OPTIONS");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Router {
    tree: Tree,
    /// Laid out by the first lookup after an insertion.
    index: OnceLock<Index>,
}

impl Router {
    /// A router without routes.
    pub fn new() -> Self {
        Self {
            tree: Tree::new(),
            index: OnceLock::new(),
        }
    }

    /// Adds a route. One `id` may stand for several.
    ///
    /// ```
    /// use wapix::router::{Method, RouteId, Router};
    ///
    /// let mut router = Router::new();
    /// router.insert(Method::Get, "/users/:id", RouteId::new(0))?;
    /// let error = router.insert(Method::Get, "/users/:name/posts", RouteId::new(1)).unwrap_err();
    /// assert_eq!(error.to_string(), "route `/users/:name/posts` conflicts with `/users/:id`");
    /// # Ok::<(), wapix::router::InsertError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InsertError::Invalid`] where the pattern is not well formed, [`InsertError::Conflict`] where
    /// the route cannot be told apart from an earlier one. The router is then as it was before.
    pub fn insert(
        &mut self,
        method: Method,
        pattern: &str,
        id: RouteId,
    ) -> Result<(), InsertError> {
        self.index.take();
        self.tree.insert(method, pattern, id)
    }

    /// Finds what answers a request of `method`, `None` for one that no route can handle, to `path`.
    ///
    /// ```
    /// use wapix::router::{Lookup, Method, RouteId, Router, canonicalize};
    ///
    /// let mut router = Router::new();
    /// router.insert(Method::Get, "/files/*rest", RouteId::new(0))?;
    /// let path = canonicalize("/files/a/b/")?;
    /// let Lookup::Route { params, .. } = router.find(Some(Method::Head), &path) else {
    ///     panic!("the path matches");
    /// };
    /// assert_eq!(params.get(0, &path), Some("a/b"));
    /// assert_eq!(router.find(Some(Method::Get), &canonicalize("/files")?), Lookup::NotFound);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find(&self, method: Option<Method>, path: &CanonicalPath<'_>) -> Lookup {
        if path.has_empty_segment() {
            return Lookup::NotFound;
        }
        let index = self.index();
        if path.segments() > index.depth() {
            return Lookup::NotFound;
        }
        let mut params = Params::default();
        match index.find(method, path.as_str(), &mut params) {
            Ok(id) => Lookup::Route { id, params },
            Err(MethodSet::EMPTY) => Lookup::NotFound,
            Err(methods) if method == Some(Method::Options) => {
                Lookup::Options(methods.with(Method::Options))
            }
            Err(methods) => Lookup::MethodNotAllowed(methods.with(Method::Options)),
        }
    }
}

impl Router {
    /// Lays the routes out, so that no request has to wait for it.
    pub(crate) fn prepare(&self) {
        self.index();
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::from(&self.tree))
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}
