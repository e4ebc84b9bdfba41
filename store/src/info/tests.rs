use proptest::prelude::*;

use super::*;

#[test]
fn values_are_taken_as_they_stand() {
    let info = Info::parse(b"name= My = stick \nempty=\n").unwrap();
    assert_eq!(info.get("name"), Some(" My = stick "));
    assert_eq!(info.get("empty"), Some(""));
    assert_eq!(info.get("missing"), None);
}

#[test]
fn rewriting_keeps_order_comments_and_unknown_keys() {
    let before = b"# my notes\nfuture-key=1\nname=old\n\nz=2\n";
    let mut info = Info::parse(before).unwrap();
    assert_eq!(info.render().unwrap(), before);
    info.set("name", "new").unwrap();
    info.set("added", 7).unwrap();
    let after = b"# my notes\nfuture-key=1\nname=new\n\nz=2\nadded=7\n";
    assert_eq!(info.render().unwrap(), after);
}

#[test]
fn the_last_line_feed_may_be_missing() {
    assert_eq!(Info::parse(b"a=1").unwrap().render().unwrap(), b"a=1\n");
    assert_eq!(Info::parse(b"").unwrap(), Info::default());
}

#[test]
fn refusals_name_the_line() {
    let cases: [(&[u8], InfoError); 9] = [
        (b"a=1\nb\xff=2\n", InfoError::NotUtf8(2)),
        (
            b"a=1\0\n",
            InfoError::Control {
                line: 1,
                character: 0,
            },
        ),
        (
            b"a=1\r\n",
            InfoError::Control {
                line: 1,
                character: 13,
            },
        ),
        (
            b"\na=\x1b[31m\n",
            InfoError::Control {
                line: 2,
                character: 27,
            },
        ),
        (b"a=1\nhello\n", InfoError::NotAnEntry(2)),
        (b"=1\n", InfoError::Key(1)),
        (b"a b=1\n", InfoError::Key(1)),
        (b"\xef\xbb\xbfa=1\n", InfoError::Key(1)),
        (
            b"a=1\nb=2\na=3\n",
            InfoError::Duplicate {
                line: 3,
                key: "a".into(),
            },
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(Info::parse(bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn size_is_capped_both_ways() {
    assert_eq!(
        Info::parse(&vec![b'#'; MAX_BYTES + 1]),
        Err(InfoError::TooLarge(MAX_BYTES + 1))
    );
    assert!(Info::parse(&vec![b'#'; MAX_BYTES - 1]).is_ok());
    let mut info = Info::default();
    info.set("a", "x".repeat(MAX_BYTES)).unwrap();
    assert!(matches!(info.render(), Err(InfoError::TooLarge(_))));
}

#[test]
fn a_value_cannot_smuggle_a_second_line() {
    assert_eq!(
        Info::default().set("a", "1\nb=2"),
        Err(InfoError::Value("a"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Info::parse(&bytes);
    }

    #[test]
    fn what_is_accepted_is_rendered_unchanged(text in "([#a-c=._ ]{0,6}|[a-z]{1,3}=\\PC{0,8}|\n){0,12}") {
        if let Ok(info) = Info::parse(text.as_bytes()) {
            let rendered = info.render().unwrap();
            let rest = rendered.strip_prefix(text.as_bytes()).unwrap();
            prop_assert!(rest.is_empty() || rest == b"\n");
            prop_assert_eq!(Info::parse(&rendered).unwrap(), info);
        }
    }

    #[test]
    fn what_was_set_is_read_again(value in "\\PC{0,60}") {
        let mut info = Info::default();
        if info.set("key", &value).is_ok() {
            let again = Info::parse(&info.render().unwrap()).unwrap();
            prop_assert_eq!(again.get("key"), Some(value.as_str()));
        }
    }
}
