//! The Rust core of wapix.
#![allow(missing_docs)]

pub mod router;
