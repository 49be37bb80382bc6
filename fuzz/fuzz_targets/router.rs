//! Routes are inserted and looked up, and both done again by a reference.
#![no_main]

#[path = "../../tests/support/reference.rs"]
mod reference;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wapix::router::{
    InsertError, Lookup, Method, MethodSet, RouteId, Router, canonicalize, parameter_names,
};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    routes: Vec<(u8, Pattern<'a>)>,
    lookups: Vec<(u8, Path<'a>)>,
}

#[derive(Arbitrary, Debug)]
enum Pattern<'a> {
    Segments(Vec<Segment<'a>>, bool),
    Text(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Path<'a> {
    Segments(Vec<Segment<'a>>, bool),
    /// The pattern of a route, its wildcards taken literally.
    Pattern(u8),
    Text(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Segment<'a> {
    Known(u8),
    Text(&'a str),
    Parameter(u8),
    CatchAll(u8),
}

/// Of every length that the router compares in another way.
const KNOWN: [&str; 12] = [
    "a",
    "b",
    "ab",
    "abc",
    "é",
    "eightbyt",
    "eightbyu",
    "ninebytes",
    "sixteen-bytes-ab",
    "seventeen-bytes-a",
    "a-segment-that-differs-1-in-its-middle",
    "a-segment-that-differs-2-in-its-middle",
];

const NAMES: [&str; 3] = ["id", "name", "p-1"];

fn pick<'a>(from: &[&'a str], index: u8) -> &'a str {
    from[usize::from(index) % from.len()]
}

fn join(segments: &[Segment<'_>], slash: bool) -> String {
    let mut joined = String::new();
    for segment in segments {
        joined.push('/');
        match *segment {
            Segment::Known(index) => joined.push_str(pick(&KNOWN, index)),
            Segment::Text(text) => joined.push_str(text),
            Segment::Parameter(name) => joined.extend([":", pick(&NAMES, name)]),
            Segment::CatchAll(name) => joined.extend(["*", pick(&NAMES, name)]),
        }
    }
    if slash || segments.is_empty() {
        joined.push('/');
    }
    joined
}

/// The documentation's rules for a single pattern.
fn is_valid(pattern: &str) -> bool {
    if pattern == "/" {
        return true;
    }
    let segments: Vec<&str> = trimmed(pattern).split('/').collect();
    let [before, segments @ ..] = &segments[..] else {
        return false;
    };
    let names: Vec<&str> = segments
        .iter()
        .filter_map(|segment| segment.strip_prefix([':', '*']))
        .collect();
    let is_name = |name: &&str| {
        let is_of_one = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        !name.is_empty() && name.chars().all(is_of_one)
    };
    let is_literal =
        |text: &&str| !matches!(*text, "" | "." | "..") && !text.contains(['\\', '\0']);
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    before.is_empty()
        && !segments.is_empty()
        && names.iter().all(is_name)
        && unique.len() == names.len()
        && segments
            .iter()
            .all(|segment| segment.starts_with([':', '*']) || is_literal(segment))
        && segments
            .iter()
            .rev()
            .skip(1)
            .all(|segment| !segment.starts_with('*'))
}

fn trimmed(pattern: &str) -> &str {
    match pattern.strip_suffix('/') {
        Some("") | None => pattern,
        Some(trimmed) => trimmed,
    }
}

/// The documentation's rules for two valid patterns.
fn conflict(a: (Method, &str), b: (Method, &str)) -> bool {
    let wildcard = |segment: &str| segment.chars().next().filter(|c| matches!(c, ':' | '*'));
    let (mut left, mut right) = (trimmed(a.1).split('/'), trimmed(b.1).split('/'));
    loop {
        match (left.next(), right.next()) {
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) => {
                return wildcard(left).is_some() && wildcard(left) == wildcard(right);
            }
            (None, None) => return a.0 == b.0,
            _ => return false,
        }
    }
}

fn insert(router: &mut Router, routes: &mut Vec<(Method, String)>, method: Method, pattern: &str) {
    let valid = is_valid(pattern);
    let conflicts = |(other, with): &(Method, String)| conflict((method, pattern), (*other, with));
    assert_eq!(parameter_names(pattern).is_ok(), valid, "{pattern:?}");
    match router.insert(method, pattern, RouteId::new(routes.len() as u32)) {
        Ok(()) => {
            assert!(valid, "{pattern:?} is inserted");
            assert!(!routes.iter().any(conflicts), "{pattern:?} in {routes:?}");
            routes.push((method, trimmed(pattern).to_owned()));
        }
        Err(InsertError::Invalid { .. }) => assert!(!valid, "{pattern:?} is refused"),
        Err(InsertError::Conflict { with, .. }) => {
            let with = trimmed(&with);
            assert!(
                routes
                    .iter()
                    .any(|route| route.1 == with && conflicts(route)),
                "{pattern:?} conflicts with {with:?} in {routes:?}"
            );
        }
        Err(error) => panic!("{error}"),
    }
}

fn look_up(router: &Router, routes: &[(Method, String)], method: Option<Method>, path: &str) {
    let Ok(path) = canonicalize(path) else {
        return;
    };
    let expected = reference::find(routes, method, path.as_str());
    match router.find(method, &path) {
        Lookup::Route { id, params } => {
            let values: Vec<String> = (0..params.len())
                .map(|index| params.get(index, &path).expect("a range of the path"))
                .map(str::to_owned)
                .collect();
            let index = id.get() as usize;
            let names = parameter_names(&routes[index].1).expect("it was inserted");
            assert_eq!(names.len(), values.len());
            assert_eq!(
                Ok((index, values)),
                expected,
                "{method:?} {path:?} in {routes:?}"
            );
        }
        Lookup::NotFound => {
            assert_eq!(
                Err(MethodSet::EMPTY),
                expected,
                "{method:?} {path:?} in {routes:?}"
            );
        }
        Lookup::Options(methods) => {
            assert_eq!(method, Some(Method::Options));
            assert!(!methods.is_empty());
            assert_eq!(Err(methods), expected, "{method:?} {path:?} in {routes:?}");
        }
        Lookup::MethodNotAllowed(methods) => {
            assert_ne!(method, Some(Method::Options));
            assert!(!methods.is_empty());
            assert_eq!(Err(methods), expected, "{method:?} {path:?} in {routes:?}");
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let (mut router, mut routes) = (Router::new(), Vec::new());
    for (method, pattern) in &input.routes {
        let method = Method::ALL[usize::from(*method) % Method::ALL.len()];
        match pattern {
            Pattern::Segments(segments, slash) => {
                insert(&mut router, &mut routes, method, &join(segments, *slash));
            }
            Pattern::Text(text) => insert(&mut router, &mut routes, method, text),
        }
    }
    for (method, path) in &input.lookups {
        // One more than there are: a method that no route can have.
        let method = Method::ALL
            .get(usize::from(*method) % (Method::ALL.len() + 1))
            .copied();
        match path {
            Path::Segments(segments, slash) => {
                look_up(&router, &routes, method, &join(segments, *slash));
            }
            Path::Pattern(index) if !routes.is_empty() => {
                let path = &routes[usize::from(*index) % routes.len()].1;
                look_up(&router, &routes, method, path);
            }
            Path::Pattern(_) => {}
            Path::Text(text) => look_up(&router, &routes, method, text),
        }
    }
});
