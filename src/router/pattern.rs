//! The pattern of a route, split into its segments.

use super::error::InsertError;

/// One segment of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment<'p> {
    /// The decoded segment of a path itself.
    Literal(&'p str),
    /// Any one segment, by name.
    Parameter(&'p str),
    /// Every segment that is left, at least one, by name.
    CatchAll(&'p str),
}

impl<'p> Segment<'p> {
    fn parse(text: &'p str) -> Result<Self, &'static str> {
        let (segment, name) = match (text.strip_prefix(':'), text.strip_prefix('*')) {
            (Some(name), _) => (Self::Parameter(name), name),
            (_, Some(name)) => (Self::CatchAll(name), name),
            _ => {
                return match text {
                    "" => Err("a segment is empty"),
                    "." | ".." => Err("`.` and `..` never match: requests with them are refused"),
                    _ if text.contains(['\\', '\0']) => {
                        Err("`\\` and NUL never match: requests with them are refused")
                    }
                    _ => Ok(Self::Literal(text)),
                };
            }
        };
        if name.is_empty() {
            return Err("a parameter has no name");
        }
        // Other routers give `:id?`, `:id(\d+)` and `:name.json` a meaning; here they have none.
        if !name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        {
            return Err("a parameter's name is letters, digits, `_` and `-` only");
        }
        Ok(segment)
    }

    fn name(self) -> Option<&'p str> {
        match self {
            Self::Literal(_) => None,
            Self::Parameter(name) | Self::CatchAll(name) => Some(name),
        }
    }
}

/// Splits a pattern into its segments: none for `/`.
pub(super) fn parse(pattern: &str) -> Result<Vec<Segment<'_>>, InsertError> {
    segments(pattern).map_err(|reason| InsertError::Invalid {
        pattern: pattern.to_owned(),
        reason,
    })
}

fn segments(pattern: &str) -> Result<Vec<Segment<'_>>, &'static str> {
    let path = pattern
        .strip_prefix('/')
        .ok_or("a pattern begins with `/`")?;
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments: Vec<Segment<'_>> = Vec::new();
    for text in path.split('/') {
        if let Some(Segment::CatchAll(_)) = segments.last() {
            return Err("a catch-all is the last segment");
        }
        let segment = Segment::parse(text)?;
        if segment.name().is_some() && segments.iter().any(|other| other.name() == segment.name()) {
            return Err("two parameters have the same name");
        }
        segments.push(segment);
    }
    Ok(segments)
}

/// The names of a pattern's parameters, its catch-all included, in the order of
/// [`Params`](super::Params).
///
/// ```
/// let names = wapix::router::parameter_names("/users/:id/files/*rest")?;
/// assert_eq!(names, ["id", "rest"]);
/// # Ok::<(), wapix::router::InsertError>(())
/// ```
///
/// # Errors
///
/// [`InsertError::Invalid`] where the pattern is not well formed.
pub fn parameter_names(pattern: &str) -> Result<Vec<&str>, InsertError> {
    Ok(parse(pattern)?
        .into_iter()
        .filter_map(Segment::name)
        .collect())
}
