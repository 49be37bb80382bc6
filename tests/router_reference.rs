//! The router, on random routes, against a reference.

#[path = "support/reference.rs"]
#[allow(unreachable_pub, reason = "a fuzz target shares it")]
mod reference;

use reference::find;
use wapix::router::{Lookup, Method, MethodSet, RouteId, Router, canonicalize};

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
