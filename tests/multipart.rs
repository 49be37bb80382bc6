//! Names in a multipart body, as clients write them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use wapix::{MultipartError, parse_multipart};

type Names = (String, Option<String>);

/// The names of a form's only part.
fn names(disposition: impl AsRef<[u8]>) -> Result<Names, MultipartError> {
    let body = [
        b"--XX\r\nContent-Disposition: ",
        disposition.as_ref(),
        b"\r\n\r\n1\r\n--XX--",
    ];
    let parts = parse_multipart("multipart/form-data; boundary=XX", body.concat().into())?;
    let [part] = &parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!(part.content, "1");
    Ok((part.name.clone(), part.file_name.clone()))
}

#[test]
fn names_are_read_in_every_form() {
    for (disposition, name, file_name) in [
        (r#"form-data; name="a""#, "a", None),
        (r#"form-data;name="a";filename="b""#, "a", Some("b")),
        (r#"form-data; filename="b"; name="a""#, "a", Some("b")),
        (r#"form-data; Name = "a" ; FileName = "b""#, "a", Some("b")),
        ("form-data; name=a; filename=b", "a", Some("b")),
        (r#"form-data; name=""; filename="""#, "", Some("")),
        (r#"form-data; name="a%22%0D%0A""#, "a\"\r\n", None),
        (
            r#"form-data; name="a\"b"; filename="\"""#,
            "a\"b",
            Some("\""),
        ),
        (r#"form-data; x; y=1; name="a""#, "a", None),
        (
            r#"form-data; name="a"; filename*=UTF-8''c; filename="b""#,
            "a",
            Some("b"),
        ),
        (r#"name="a""#, "a", None),
    ] {
        let expected = (name.to_owned(), file_name.map(str::to_owned));
        assert_eq!(names(disposition).unwrap(), expected, "{disposition}");
    }
}

#[test]
fn what_stands_in_quotes_is_no_parameter() {
    let found = names(r#"form-data; name="a; filename=b""#).unwrap();
    assert_eq!(found, ("a; filename=b".to_owned(), None));
    let found = names(r#"form-data; filename="b name=c"; name="a""#).unwrap();
    assert_eq!(found, ("a".to_owned(), Some("b name=c".to_owned())));
    let nameless = names(r#"form-data; filename="b name=c""#);
    assert!(matches!(
        nameless,
        Err(MultipartError::Part { number: 1, .. })
    ));
}

#[test]
fn a_name_may_end_with_a_backslash() {
    let found = names(r#"form-data; name="a\"; filename="b\""#).unwrap();
    assert_eq!(found, (r"a\".to_owned(), Some(r"b\".to_owned())));
}

#[test]
fn a_name_that_is_not_utf8_is_still_a_name() {
    let found = names(b"form-data; name=\"\xfc\"; filename=\"\xe9.txt\"").unwrap();
    let replaced = ("\u{fffd}".to_owned(), Some("\u{fffd}.txt".to_owned()));
    assert_eq!(found, replaced);
}
