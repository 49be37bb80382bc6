//! A router that is too simple to be wrong: it compares every pattern with the path, and of those that
//! match the most literal wins. `fuzz/fuzz_targets/router.rs` reads this file too.

use wapix::router::{Method, MethodSet};

/// The index of the route that answers, and its parameters' values; or the methods of all that match.
/// The patterns are valid, do not conflict and, but for `/`, have no trailing slash.
pub fn find(
    routes: &[(Method, String)],
    method: Option<Method>,
    path: &str,
) -> Result<(usize, Vec<String>), MethodSet> {
    let mut matches: Vec<_> = routes
        .iter()
        .enumerate()
        .filter_map(|(id, route)| Some((matching(&route.1, path)?, id, route.0)))
        .collect();
    // Within a pattern an explicit `HEAD` comes before the `GET` that would stand in for it.
    matches.sort_by_key(|((kinds, _), _, method)| (kinds.clone(), *method != Method::Head));
    for ((_, values), id, candidate) in &matches {
        let stands_in = method == Some(Method::Head) && *candidate == Method::Get;
        if method == Some(*candidate) || stands_in {
            return Ok((*id, values.clone()));
        }
    }
    let methods = matches.iter().flat_map(|&(_, _, method)| match method {
        Method::Get => vec![Method::Get, Method::Head, Method::Options],
        other => vec![other, Method::Options],
    });
    Err(methods.collect())
}

/// The kind of each segment (literal 0, parameter 1, catch-all 2) and the parameters' values.
fn matching(pattern: &str, path: &str) -> Option<(Vec<u8>, Vec<String>)> {
    let (mut kinds, mut values) = (Vec::new(), Vec::new());
    let path = if path == "/" {
        ""
    } else {
        path.strip_suffix('/').unwrap_or(path)
    };
    let pattern = if pattern == "/" { "" } else { pattern };
    let mut segments: Vec<&str> = path.split('/').skip(1).collect();
    if segments.contains(&"") {
        return None;
    }
    for expected in pattern.split('/').skip(1) {
        if segments.is_empty() {
            return None;
        }
        if expected.starts_with('*') {
            kinds.push(2);
            values.push(segments.join("/"));
            segments.clear();
        } else if expected.starts_with(':') {
            kinds.push(1);
            values.push(segments.remove(0).to_owned());
        } else if expected == segments.remove(0) {
            kinds.push(0);
        } else {
            return None;
        }
    }
    segments.is_empty().then_some((kinds, values))
}
