use proptest::prelude::*;

use super::*;
use crate::{BaseImage, Generation, SessionId, Stack, StoreId, base::LayerFacts};

fn named(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn session() -> SessionRecord {
    let base = BaseImage::from_layers(&[LayerFacts {
        name: "a",
        size: 1,
        head: b"x",
    }]);
    SessionRecord::new(
        SessionId::random(),
        named("Biofuel report"),
        Stack::LiveBoot,
        base,
        17,
    )
}

fn generation() -> GenerationRecord {
    let facts = GenerationFacts {
        size: 5,
        files: 2,
        entries: 3,
        kernel: "6.12.107+deb13-amd64".into(),
        consistency: Consistency::Settled,
    };
    GenerationRecord::new(Generation::FIRST, 18, facts)
}

#[test]
fn records_are_read_as_written() {
    let mut store = StoreRecord::new(StoreId::random(), named("My stick"), 1);
    store.image = Some("persistence".into());
    let bytes = store.render().unwrap();
    let again = StoreRecord::parse(&bytes, StoreId::random()).unwrap();
    assert_eq!(
        (again.id, &again.name, &again.image),
        (store.id, &store.name, &store.image)
    );
    assert_eq!(again.render().unwrap(), bytes);

    let bytes = session().render().unwrap();
    assert_eq!(
        SessionRecord::parse(&bytes).unwrap().render().unwrap(),
        bytes
    );
    let bytes = generation().render().unwrap();
    assert_eq!(
        GenerationRecord::parse(&bytes).unwrap().render().unwrap(),
        bytes
    );
}

#[test]
fn a_marker_needs_no_more_than_a_name() {
    let fallback = StoreId::derived("1234-ABCD");
    let store = StoreRecord::parse(b"name=Old stick\n", fallback).unwrap();
    assert_eq!(
        (store.id, store.created, store.format),
        (fallback, None, Format::CURRENT)
    );
    assert_eq!(
        StoreRecord::parse(b"id=x\n", fallback)
            .unwrap_err()
            .to_string(),
        {
            "the entry id is not understood: not an id of the form \
         01234567-89ab-cdef-0123-456789abcdef"
        }
    );
    assert_eq!(
        StoreRecord::parse(b"", fallback),
        Err(RecordError::Missing("name"))
    );
}

#[test]
fn rewriting_keeps_what_is_not_understood() {
    let bytes = b"# mine\ncolour=blue\nname=Old\n";
    let mut store = StoreRecord::parse(bytes, StoreId::derived("x")).unwrap();
    store.name = named("New");
    let text = String::from_utf8(store.render().unwrap()).unwrap();
    assert!(
        text.starts_with("# mine\ncolour=blue\nname=New\n"),
        "{text}"
    );
}

#[test]
fn a_newer_record_is_read_and_never_written() {
    let bytes = b"name=Tomorrow\nformat=2\n";
    let store = StoreRecord::parse(bytes, StoreId::derived("x")).unwrap();
    assert_eq!(store.name.as_str(), "Tomorrow");
    assert_eq!(store.render(), Err(RecordError::Newer { found: 2 }));
    assert!(
        RecordError::Newer { found: 2 }
            .to_string()
            .contains("update wendy")
    );
}

#[test]
fn an_image_is_a_file_in_the_root() {
    for image in ["", ".", "..", "/etc/shadow", "../x", "a/b"] {
        let bytes = format!("name=a\nimage={image}\n");
        let error = StoreRecord::parse(bytes.as_bytes(), StoreId::derived("x")).unwrap_err();
        assert!(
            matches!(error, RecordError::Malformed { key: "image", .. }),
            "{image}"
        );
    }
}

#[test]
fn each_missing_or_damaged_entry_is_named() {
    let whole = String::from_utf8(session().render().unwrap()).unwrap();
    for key in ["id", "name", "stack", "upper", "base", "created"] {
        let without: String = whole
            .lines()
            .filter(|line| !line.starts_with(&format!("{key}=")))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            SessionRecord::parse(without.as_bytes()),
            Err(RecordError::Missing(key))
        );
    }
    let odd = whole.replace("live-boot", "win-boot");
    let error = SessionRecord::parse(odd.as_bytes()).unwrap_err();
    assert!(
        matches!(error, RecordError::Malformed { key: "stack", .. }),
        "{error}"
    );
}

#[test]
fn a_kernel_release_cannot_smuggle_a_line() {
    let mut record = generation();
    record.kernel = "6.1\nsize=0".into();
    assert_eq!(
        record.render(),
        Err(RecordError::Info(InfoError::Value("kernel")))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_records_never_panic(cut in 0usize..400, flip in 0usize..400, with: u8) {
        for whole in [session().render().unwrap(), generation().render().unwrap()] {
            let mut bytes = whole[..whole.len().min(cut)].to_vec();
            if let Some(byte) = bytes.get_mut(flip) {
                *byte = with;
            }
            let _ = SessionRecord::parse(&bytes);
            let _ = GenerationRecord::parse(&bytes);
            let _ = StoreRecord::parse(&bytes, StoreId::derived("x"));
        }
    }
}
