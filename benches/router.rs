//! The router beside matchit and a linear scan, with 10 to 10,000 routes.
//!
//! Every cell looks up the same paths, one after the other, in the same routes: three for each
//! resource, `/api/v1/resourceN`, `/api/v1/resourceN/:id` and `/api/v1/resourceN/:id/items/:item`. A miss
//! is of an unknown resource, of an unknown child, or of a path that goes on too long.
//!
//! What is found is taken apart on the spot, as a server does: the route and its last parameter.
//!
//! `find` is given a canonical path, as matchit is given a path that it takes as it is;
//! `canonicalize+find` is given the raw path, as a request is.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use wapix::router::{CanonicalPath, Lookup, Method, RouteId, Router, canonicalize};

const ROUTES: [usize; 4] = [10, 100, 1_000, 10_000];

/// So many that branch predictors do not learn them by heart, which no traffic lets them do.
const PATHS: usize = 4096;

fn pattern(route: usize) -> String {
    let resource = route / 3;
    match route % 3 {
        0 => format!("/api/v1/resource{resource}"),
        1 => format!("/api/v1/resource{resource}/:id"),
        _ => format!("/api/v1/resource{resource}/:id/items/:item"),
    }
}

/// The paths of a cell, in random order; the same in every run.
fn paths(kind: &str, routes: usize) -> Vec<String> {
    let mut state = 0x5eed_u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as usize % bound
    };
    let mut path = || {
        let (resource, id, item) = (random(routes / 3), random(100_000), random(1_000));
        match (kind, random(3)) {
            ("literal", _) => format!("/api/v1/resource{resource}"),
            ("parameter", _) if id % 2 == 0 => format!("/api/v1/resource{resource}/{id}"),
            ("parameter", _) => format!("/api/v1/resource{resource}/{id}/items/{item}"),
            (_, 0) => format!("/api/v1/unknown{resource}/{id}"),
            (_, 1) => format!("/api/v1/resource{resource}/{id}/unknown"),
            (_, _) => format!("/api/v1/resource{resource}/{id}/items/{item}/unknown"),
        }
    };
    (0..PATHS).map(|_| path()).collect()
}

fn taken(lookup: Lookup) -> Option<(RouteId, Option<(u32, u32)>)> {
    match lookup {
        Lookup::Route { id, params } => Some((id, params.iter().last())),
        _ => None,
    }
}

/// A pattern's segments, compared with those of the path one pattern after the other.
struct Linear(Vec<(Vec<Option<String>>, usize)>);

impl Linear {
    fn find<'p>(&self, path: &'p str) -> Option<(usize, Vec<&'p str>)> {
        self.0.iter().find_map(|(pattern, id)| {
            let mut segments = path.split('/').skip(1);
            let mut params = Vec::new();
            for expected in pattern {
                match (segments.next()?, expected) {
                    (segment, Some(literal)) if segment != literal => return None,
                    (_, Some(_)) => {}
                    (segment, None) => params.push(segment),
                }
            }
            segments.next().is_none().then_some((*id, params))
        })
    }
}

fn bench(c: &mut Criterion) {
    for kind in ["literal", "parameter", "miss"] {
        let mut group = c.benchmark_group(kind);
        group
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(600))
            .sample_size(30);
        for routes in ROUTES {
            let paths = paths(kind, routes);
            bench_wapix(&mut group, routes, &paths, kind != "miss");
            bench_matchit(&mut group, routes, &paths, kind != "miss");
            bench_linear(&mut group, routes, &paths, kind != "miss");
        }
        group.finish();
    }
}

fn bench_wapix(
    group: &mut BenchmarkGroup<'_, WallTime>,
    routes: usize,
    paths: &[String],
    is_hit: bool,
) {
    let mut router = Router::new();
    for route in 0..routes {
        let id = RouteId::new(route as u32);
        router
            .insert(Method::Get, &pattern(route), id)
            .expect("the routes do not conflict");
    }
    let canonical: Vec<CanonicalPath<'_>> = paths
        .iter()
        .map(|path| canonicalize(path).expect("the path is plain"))
        .collect();
    for path in &canonical {
        let lookup = router.find(Some(Method::Get), path);
        assert_eq!(matches!(lookup, Lookup::Route { .. }), is_hit);
    }
    group.bench_function(BenchmarkId::new("find", routes), |b| {
        let mut paths = canonical.iter().cycle();
        b.iter(|| {
            let path = black_box(paths.next().expect("it cycles"));
            taken(router.find(Some(Method::Get), path))
        });
    });
    group.bench_function(BenchmarkId::new("canonicalize+find", routes), |b| {
        let mut paths = paths.iter().cycle();
        b.iter(|| {
            let path = canonicalize(black_box(paths.next().expect("it cycles"))).ok()?;
            taken(router.find(Some(Method::Get), &path))
        });
    });
}

fn bench_matchit(
    group: &mut BenchmarkGroup<'_, WallTime>,
    routes: usize,
    paths: &[String],
    is_hit: bool,
) {
    let mut router = matchit::Router::new();
    for route in 0..routes {
        let pattern = pattern(route)
            .replace(":id", "{id}")
            .replace(":item", "{item}");
        router
            .insert(pattern, route)
            .expect("the routes do not conflict");
    }
    assert!(paths.iter().all(|path| router.at(path).is_ok() == is_hit));
    group.bench_function(BenchmarkId::new("matchit", routes), |b| {
        let mut paths = paths.iter().cycle();
        b.iter(|| {
            let found = router
                .at(black_box(paths.next().expect("it cycles")))
                .ok()?;
            Some((
                *found.value,
                found.params.iter().last().map(|(_, value)| value),
            ))
        });
    });
}

fn bench_linear(
    group: &mut BenchmarkGroup<'_, WallTime>,
    routes: usize,
    paths: &[String],
    is_hit: bool,
) {
    let segments = |pattern: String| {
        let segments = pattern.split('/').skip(1);
        segments
            .map(|text| (!text.starts_with(':')).then(|| text.to_owned()))
            .collect()
    };
    let router = Linear(
        (0..routes)
            .map(|route| (segments(pattern(route)), route))
            .collect(),
    );
    assert!(
        paths
            .iter()
            .all(|path| router.find(path).is_some() == is_hit)
    );
    group.bench_function(BenchmarkId::new("linear", routes), |b| {
        let mut paths = paths.iter().cycle();
        b.iter(|| router.find(black_box(paths.next().expect("it cycles"))));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
