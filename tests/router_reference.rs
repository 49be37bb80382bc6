//! The router, on random routes, against a matcher that is too simple to be wrong: it compares every
//! pattern with the path, and of those that match the most literal wins.

use wapix::router::{Lookup, Method, MethodSet, RouteId, Router, canonicalize};

fn find(
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

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn segment(&mut self) -> String {
        match self.below(8) {
            0 => format!(
                "a-segment-that-is-rather-{}-long-and-equal-outside",
                self.below(3)
            ),
            1 => format!("n{}", self.below(40)),
            2 => ["é", "日本", "eightbyt", "ninebytes"][self.below(4)].to_owned(),
            _ => ["a", "b", "c"][self.below(3)].to_owned(),
        }
    }

    fn pattern(&mut self) -> String {
        let mut pattern = String::new();
        for depth in 0..self.below(6) {
            match self.below(8) {
                0..4 => pattern.push_str(&format!("/{}", self.segment())),
                4..7 => pattern.push_str(&format!("/:p{depth}")),
                _ => {
                    pattern.push_str(&format!("/*p{depth}"));
                    break;
                }
            }
        }
        if pattern.is_empty() {
            "/".to_owned()
        } else {
            pattern
        }
    }

    fn path(&mut self) -> String {
        let mut path: String = (0..self.below(6))
            .map(|_| format!("/{}", self.segment()))
            .collect();
        if path.is_empty() || self.below(6) == 0 {
            path.push('/');
        }
        if self.below(20) == 0 {
            path.push('/');
        }
        path
    }
}

#[test]
fn agrees_with_the_reference_on_random_routes() {
    let mut random = Random(0x5eed);
    let mut found = 0;
    for _ in 0..100 {
        let (mut router, mut routes) = (Router::new(), Vec::new());
        for _ in 0..random.below(150) {
            let (method, pattern) = (Method::ALL[random.below(7)], random.pattern());
            match router.insert(method, &pattern, RouteId::new(routes.len() as u32)) {
                Ok(()) => routes.push((method, pattern)),
                Err(error) => assert!(routes.contains(&(method, pattern)), "{error}"),
            }
        }
        for _ in 0..300 {
            let path = random.path();
            let method = Method::ALL.get(random.below(8)).copied();
            let canonical = canonicalize(&path).unwrap();
            let actual = match router.find(method, &canonical) {
                Lookup::Route { id, params } => {
                    let value = |index| params.get(index, &canonical).unwrap().to_owned();
                    Ok((id.get() as usize, (0..params.len()).map(value).collect()))
                }
                Lookup::Options(methods) | Lookup::MethodNotAllowed(methods) => Err(methods),
                Lookup::NotFound => Err(MethodSet::EMPTY),
            };
            found += usize::from(actual.is_ok());
            assert_eq!(
                actual,
                find(&routes, method, &path),
                "{method:?} {path}\n{routes:?}"
            );
        }
    }
    assert!(found > 10_000, "most lookups found nothing: {found}");
}
