//! Request methods a route can handle, and sets of them.

use std::fmt;

use http::HeaderValue;

/// A request method that a route can handle. Any other method (`TRACE`, `PURGE`, …) has no value
/// here: [`Router::find`](super::Router::find) is then given `None`.
///
/// The order of the variants is the order in which `Allow` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`; answered by the handler of `GET` where it has none of its own.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`; answered with the allowed methods where it has no handler.
    Options,
}

impl Method {
    /// Every method, in the order of [`Method`]'s variants.
    pub const ALL: [Self; 7] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
    ];

    /// The method of a request, or `None` for one that no route can handle.
    pub fn from_http(method: &http::Method) -> Option<Self> {
        Self::from_bytes(method.as_str().as_bytes())
    }

    /// The method of this name, which is case-sensitive (RFC 9110, 9.1).
    pub fn from_bytes(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"PATCH" => Self::Patch,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            _ => return None,
        })
    }

    /// Whether it only asks (RFC 9110, 9.2.1): such requests can be answered at the same time.
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }

    /// The method's name on the wire, in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of methods: what the `Allow` header field of a response lists.
///
/// ```
/// use wapix::router::{Method, MethodSet};
///
/// let allowed: MethodSet = [Method::Options, Method::Get].into_iter().collect();
/// assert_eq!(allowed.to_string(), "GET, OPTIONS");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MethodSet(u8);

impl MethodSet {
    /// The set of no methods.
    pub const EMPTY: Self = Self(0);

    /// This set and `method`.
    #[must_use]
    pub const fn with(self, method: Method) -> Self {
        Self(self.0 | 1 << method as u8)
    }

    /// Every method that is in this set or in `other`.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `method` is in this set.
    pub const fn contains(self, method: Method) -> bool {
        self.0 & (1 << method as u8) != 0
    }

    /// A bit for each method of this set, that of [`Method::Get`] the lowest, in the order of
    /// [`Method`]'s variants.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether this set has no method.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The methods of this set, in the order of [`Method`]'s variants.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL
            .into_iter()
            .filter(move |&method| self.contains(method))
    }

    /// The value of an `Allow` header field: the methods' names, separated by `, `.
    pub fn as_header_value(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string())
            .expect("method names, commas and spaces are visible ASCII")
    }
}

impl FromIterator<Method> for MethodSet {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        methods.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}
