//! The router, against the table of cases that the server's own tests share (`fixtures/routes.json`).

use std::collections::BTreeMap;

use serde::Deserialize;
use wapix::router::{
    InsertError, Lookup, Method, MethodSet, PathError, RouteId, Router, canonicalize,
    parameter_names,
};

type Route = (String, String);

#[derive(Deserialize)]
struct Fixture {
    tables: Vec<Table>,
    conflicts: Vec<Conflict>,
    invalid: Vec<Invalid>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    routes: Vec<Route>,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    status: u16,
    /// The pattern that matches.
    route: Option<String>,
    /// The method whose handler answers, where it is not the request's.
    handler: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    allow: Option<String>,
}

#[derive(Deserialize)]
struct Conflict {
    routes: [Route; 2],
}

#[derive(Deserialize)]
struct Invalid {
    pattern: String,
    reason: String,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/routes.json")).expect("the fixture is valid")
}

fn method(name: &str) -> Option<Method> {
    Method::from_http(&http::Method::from_bytes(name.as_bytes()).expect("a token"))
}

fn insert(router: &mut Router, (name, pattern): &Route, id: usize) -> Result<(), InsertError> {
    let method = method(name).expect("a method that routes can handle");
    router.insert(method, pattern, RouteId::new(id as u32))
}

#[test]
fn answers_every_request_of_the_table() {
    for table in fixture().tables {
        let mut router = Router::new();
        for (id, route) in table.routes.iter().enumerate() {
            insert(&mut router, route, id).expect("the table's routes do not conflict");
        }
        for request in &table.requests {
            let case = format!("{}: {} {}", table.name, request.method, request.path);
            check(&case, request, &table.routes, &router);
        }
    }
}

fn check(case: &str, request: &Request, routes: &[Route], router: &Router) {
    let raw_path = request.path.split('?').next().unwrap_or_default();
    let path = match canonicalize(raw_path) {
        Ok(path) => path,
        Err(_) => return assert_eq!(400, request.status, "{case}"),
    };
    let (status, allow) = match router.find(method(&request.method), &path) {
        Lookup::Route { id, params } => {
            let (handler, pattern) = &routes[id.get() as usize];
            assert_eq!(Some(pattern), request.route.as_ref(), "{case}");
            assert_eq!(
                handler,
                request.handler.as_ref().unwrap_or(&request.method),
                "{case}"
            );
            let names = parameter_names(pattern).expect("it was inserted");
            assert_eq!(names.len(), params.len(), "{case}");
            let value = |index| {
                params
                    .get(index, &path)
                    .expect("a value for each name")
                    .to_owned()
            };
            let params: BTreeMap<String, String> = names
                .iter()
                .enumerate()
                .map(|(at, &name)| (name.to_owned(), value(at)))
                .collect();
            assert_eq!(params, request.params, "{case}");
            (200, None)
        }
        Lookup::Options(methods) => (204, Some(methods.to_string())),
        Lookup::MethodNotAllowed(methods) => (405, Some(methods.to_string())),
        Lookup::NotFound => (404, None),
    };
    assert_eq!(
        (status, allow),
        (request.status, request.allow.clone()),
        "{case}"
    );
}

#[test]
fn names_both_routes_of_a_conflict_and_changes_nothing() {
    for Conflict {
        routes: [first, second],
    } in fixture().conflicts
    {
        let mut router = Router::new();
        insert(&mut router, &first, 0).unwrap();
        let expected = InsertError::Conflict {
            pattern: second.1.clone(),
            with: first.1.clone(),
        };
        assert_eq!(
            insert(&mut router, &second, 1),
            Err(expected.clone()),
            "{first:?} {second:?}"
        );
        assert_eq!(
            insert(&mut router, &second, 1),
            Err(expected),
            "{first:?} {second:?}"
        );
    }

    let mut router = Router::new();
    insert(&mut router, &("GET".into(), "/a/:id".into()), 0).unwrap();
    insert(&mut router, &("GET".into(), "/a/:name/:half/x".into()), 1).unwrap_err();
    insert(&mut router, &("GET".into(), "/a/:id/:whole/x".into()), 1).unwrap();
}

#[test]
fn says_what_is_wrong_with_a_pattern() {
    for case in fixture().invalid {
        match Router::new().insert(Method::Get, &case.pattern, RouteId::new(0)) {
            Err(InsertError::Invalid { pattern, reason }) => {
                assert_eq!(pattern, case.pattern);
                assert!(reason.contains(&case.reason), "{pattern:?}: {reason}");
            }
            other => panic!("{:?}: {other:?}", case.pattern),
        }
    }
}

#[test]
fn says_what_is_wrong_with_a_path_and_where() {
    let forbidden = |character, offset| PathError::ForbiddenCharacter { character, offset };
    for (path, error) in [
        ("", PathError::NotAbsolute),
        ("*", PathError::NotAbsolute),
        ("users", PathError::NotAbsolute),
        ("http://localhost/users", PathError::NotAbsolute),
        ("%2Fusers", PathError::NotAbsolute),
        ("/%", PathError::MalformedEscape { offset: 1 }),
        ("/users/%4", PathError::MalformedEscape { offset: 7 }),
        ("/users/%41%4/1", PathError::MalformedEscape { offset: 10 }),
        ("/users/%é1", PathError::MalformedEscape { offset: 7 }),
        ("/users/%41é%FF", PathError::InvalidUtf8 { offset: 12 }),
        ("/users/é%C3/%BC", PathError::InvalidUtf8 { offset: 9 }),
        ("/users/a%2Fb", forbidden('/', 8)),
        ("/users/a\\b", forbidden('\\', 8)),
        ("/users/é%5c", forbidden('\\', 9)),
        ("/users/a\0", forbidden('\0', 8)),
        ("/\0", forbidden('\0', 1)),
        ("/users/12345678/%00", forbidden('\0', 16)),
        ("/.", PathError::DotSegment { offset: 1 }),
        ("/users/../x", PathError::DotSegment { offset: 7 }),
        ("/users/%2E./x", PathError::DotSegment { offset: 7 }),
        ("/users/12/..", PathError::DotSegment { offset: 10 }),
        ("/users/1234567/./x", PathError::DotSegment { offset: 15 }),
    ] {
        assert_eq!(canonicalize(path), Err(error), "{path:?}");
    }
}

#[test]
fn keeps_a_path_that_has_nothing_to_decode() {
    for path in [
        "/",
        "//",
        "/users/é",
        "/a/.b/..c",
        "/.well-known",
        "/a/日本語/~!$&'()*+,;=:@",
    ] {
        let canonical = canonicalize(path).unwrap();
        assert_eq!((canonical.as_str(), canonical.is_raw()), (path, true));
    }
    assert!(!canonicalize("/%61").unwrap().is_raw());
}

/// The scan for what to decode works on words: move each special sequence over every boundary.
#[test]
fn looks_at_every_byte_of_a_path() {
    for len in 0..40 {
        for at in 0..=len {
            let path = |what: &str| format!("/{}{what}{}", "a".repeat(at), "b".repeat(len - at));
            assert!(canonicalize(&path("é/x/")).unwrap().is_raw());
            assert!(!canonicalize(&path("%61")).unwrap().is_raw());
            for refused in ["%", "\\", "\0", "/./", "/../"] {
                canonicalize(&path(refused)).expect_err(refused);
            }
            let mut router = Router::new();
            router
                .insert(Method::Get, "/*rest", RouteId::new(0))
                .unwrap();
            let empty = path("//");
            let lookup = router.find(Some(Method::Get), &canonicalize(&empty).unwrap());
            assert_eq!(lookup, Lookup::NotFound, "{empty}");
        }
    }
}

#[test]
fn knows_methods_by_their_exact_name() {
    for known in Method::ALL {
        assert_eq!(method(known.as_str()), Some(known));
    }
    for unknown in ["TRACE", "CONNECT", "PURGE", "get"] {
        assert_eq!(method(unknown), None);
    }
    let set: MethodSet = [Method::Options, Method::Delete, Method::Get]
        .into_iter()
        .collect();
    assert_eq!(set.as_header_value(), "GET, DELETE, OPTIONS");
    assert_eq!(MethodSet::EMPTY.as_header_value(), "");
}

/// Each level doubles the ways to match, and the path goes on where the patterns end.
#[test]
fn turns_back_no_more_often_than_there_are_nodes() {
    const DEPTH: usize = 10;
    let mut router = Router::new();
    for choices in 0..1 << DEPTH {
        let segment = |level: usize| match choices >> level & 1 {
            0 => "/a".to_owned(),
            _ => format!("/:p{level}"),
        };
        let pattern: String = (0..DEPTH).map(segment).collect();
        router
            .insert(Method::Get, &pattern, RouteId::new(choices))
            .unwrap();
    }
    router
        .insert(Method::Post, "/*rest", RouteId::new(0))
        .unwrap();
    let long = "/a".repeat(30_000);
    let lookup = router.find(Some(Method::Get), &canonicalize(&long).unwrap());
    let allowed = [Method::Post, Method::Options].into_iter().collect();
    assert_eq!(lookup, Lookup::MethodNotAllowed(allowed));
}
