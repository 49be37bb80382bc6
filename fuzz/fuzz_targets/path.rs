//! Paths are canonicalised, and again by a reference that reads the rules one after the other.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wapix::router::{CanonicalPath, Lookup, Method, PathError, RouteId, Router, canonicalize};

/// Decodes one segment, or tells that a `%` of it begins no escape.
fn decoded(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut parts = segment.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let digits = part.get(..2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

fn reference(raw: &str) -> Option<String> {
    let mut canonical = String::new();
    for segment in raw.strip_prefix('/')?.split('/') {
        let segment = String::from_utf8(decoded(segment)?).ok()?;
        if segment == "." || segment == ".." || segment.contains(['/', '\\', '\0']) {
            return None;
        }
        canonical.push('/');
        canonical.push_str(&segment);
    }
    Some(canonical)
}

/// What an error says is so.
fn check_error(raw: &str, error: PathError) {
    match error {
        PathError::NotAbsolute => assert!(!raw.starts_with('/')),
        PathError::MalformedEscape { offset } => {
            let escape: Vec<u8> = raw.bytes().skip(offset).take(3).collect();
            assert_eq!(escape[0], b'%');
            assert!(escape.len() < 3 || !escape[1..].iter().all(u8::is_ascii_hexdigit));
        }
        PathError::InvalidUtf8 { offset } => {
            let before = decoded(&raw[..offset]).expect("an error that comes first is told first");
            assert!(String::from_utf8(before).is_ok());
            assert!(raw[offset..].starts_with('%'), "the raw path is UTF-8");
        }
        PathError::ForbiddenCharacter { character, offset } => {
            let rest = &raw[offset..];
            let escape = format!("%{:02x}", u32::from(character));
            let is_escaped = rest
                .get(..3)
                .is_some_and(|start| start.eq_ignore_ascii_case(&escape));
            match character {
                '/' => assert!(is_escaped),
                '\\' | '\0' => assert!(is_escaped || rest.starts_with(character)),
                other => panic!("{other:?} is not forbidden"),
            }
        }
        PathError::DotSegment { offset } => {
            assert!(raw[..offset].ends_with('/'));
            let segment = raw[offset..].split('/').next().and_then(decoded);
            assert!(matches!(segment.as_deref(), Some(b"." | b"..")));
        }
        other => panic!("{other}"),
    }
}

/// Every spelling of a path has the same canonical form.
fn check_spellings(canonical: &CanonicalPath<'_>) {
    let spell = |escape: &dyn Fn(char) -> bool, upper: bool| {
        let mut spelling = String::new();
        let mut bytes = [0; 4];
        for character in canonical.as_str().chars() {
            if character == '/' || (character != '%' && !escape(character)) {
                spelling.push(character);
                continue;
            }
            for byte in character.encode_utf8(&mut bytes).bytes() {
                spelling.push_str(&if upper {
                    format!("%{byte:02X}")
                } else {
                    format!("%{byte:02x}")
                });
            }
        }
        spelling
    };
    let some = |character: char| u32::from(character) % 3 == 0;
    for (escape, upper) in [
        (&(|_| false) as &dyn Fn(char) -> bool, true),
        (&|_| true, false),
        (&some, true),
    ] {
        let spelling = spell(escape, upper);
        let again = canonicalize(&spelling).expect("it is another spelling");
        assert_eq!(again.as_str(), canonical.as_str(), "{spelling:?}");
    }
}

/// What the router is told along with the text shows in what it finds.
fn check_shape(canonical: &CanonicalPath<'_>) {
    static CATCH_ALL: LazyLock<Router> = LazyLock::new(|| router("/*rest"));
    static THREE: LazyLock<Router> = LazyLock::new(|| router("/:a/:b/:c"));

    let path = canonical.as_str();
    let inner = path[1..].strip_suffix('/').unwrap_or(&path[1..]);
    let segments = if path.contains("//") {
        0
    } else {
        inner
            .split('/')
            .filter(|segment| !segment.is_empty())
            .count()
    };
    match CATCH_ALL.find(Some(Method::Get), canonical) {
        Lookup::Route { params, .. } => {
            assert_ne!(segments, 0);
            assert_eq!(params.get(0, canonical), Some(inner));
        }
        other => assert_eq!((other, segments), (Lookup::NotFound, 0)),
    }
    let is_of_three = THREE.find(Some(Method::Get), canonical) != Lookup::NotFound;
    assert_eq!(is_of_three, segments == 3);
}

fn router(pattern: &str) -> Router {
    let mut router = Router::new();
    router
        .insert(Method::Get, pattern, RouteId::new(0))
        .expect("the pattern is valid");
    router
}

fuzz_target!(|raw: &str| {
    let canonical = match canonicalize(raw) {
        Ok(canonical) => canonical,
        Err(error) => {
            assert_eq!(reference(raw), None, "{error}");
            check_error(raw, error);
            return;
        }
    };
    let path = canonical.as_str();
    assert_eq!(reference(raw).as_deref(), Some(path));
    assert_eq!(canonical.is_raw(), path == raw);
    assert_eq!(canonical.is_raw(), !raw.contains('%'));
    assert!(path.starts_with('/') && path.len() <= raw.len());
    assert_eq!(path.ends_with('/'), raw.ends_with('/'));
    if !path.contains('%') {
        let again = canonicalize(path).expect("a canonical path has a canonical form");
        assert!(again.is_raw());
        assert_eq!(again.as_str(), path);
    }
    check_spellings(&canonical);
    check_shape(&canonical);
});
