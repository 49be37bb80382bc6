//! Why a route could not be inserted.

use thiserror::Error;

/// Why [`Router::insert`](super::Router::insert) refused a route. The router is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InsertError {
    /// The pattern is not well formed, or could never match a request.
    #[error("invalid route `{pattern}`: {reason}")]
    Invalid {
        /// The pattern as it was given.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The route cannot be told apart from one that was inserted before: the same method on the
    /// same path, or another name for a parameter or catch-all at the same level.
    #[error("route `{pattern}` conflicts with `{with}`")]
    Conflict {
        /// The pattern as it was given.
        pattern: String,
        /// The pattern, as it was given then, of the earlier route.
        with: String,
    },
}
