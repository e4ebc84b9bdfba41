use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

#[test]
fn ordinary_names_stay_as_they_are() {
    for name in [
        "a",
        "Makefile",
        ".bashrc",
        "Ünïcödé 🎉.txt",
        "file.c.~1~",
        "a~b",
        "console",
    ] {
        assert_eq!(encode(name.as_bytes()), name);
    }
}

proptest! {
    #[test]
    fn a_plain_name_is_its_first_variant(name in "[cCoOnNmM1.wendy~ +-]{1,12}|\\PC{1,12}") {
        prop_assert_eq!(encode(name.as_bytes()), variant(name.as_bytes(), 0));
    }
}

#[test]
fn what_fat_refuses_is_escaped() {
    let cases: &[(&[u8], &str)] = &[
        (b"a:b", "a\u{F03A}b"),
        (b"end.", "end\u{F02E}"),
        (b"end ", "end\u{F020}"),
        (b"...", "..\u{F02E}"),
        (b"\xff", "\u{F0FF}"),
        (b"tab\there", "tab\u{F009}here"),
        (b"con", "\u{F063}on"),
        (b"NUL.txt", "\u{F04E}UL.txt"),
        (b"com1", "\u{F063}om1"),
        (b"PROGRA~1", "PROGRA\u{F07E}1"),
        (b"~0.~", "\u{F07E}0.~"),
        (b"film.mkv.~002", "film.mkv.\u{F07E}002"),
        (b".Wendy", "\u{F02E}Wendy"),
        ("\u{F041}".as_bytes(), "\u{F0EF}\u{F081}\u{F081}"),
    ];
    for (name, lower) in cases {
        assert_eq!(&encode(name), lower, "{name:?}");
        assert_eq!(&decode(lower), name);
    }
}

/// The table of docs/HOME-FORMAT.md: device names, aliases and parts are looked for in what has been
/// escaped already.
#[test]
fn what_looks_special_is_judged_by_the_lower_name() {
    let cases: &[(&[u8], &str)] = &[
        (b"con.", "con\u{F02E}"),
        (b"CON ", "CON\u{F020}"),
        (b"con..", "\u{F063}on.\u{F02E}"),
        (b"con .txt", "\u{F063}on .txt"),
        (b"abc:~1", "abc\u{F03A}\u{F07E}1"),
        (b"ab:cd:~1", "ab\u{F03A}cd\u{F03A}~1"),
        (b"a~1.", "a~1\u{F02E}"),
        (b"a~1.~x", "a\u{F07E}1.~x"),
        (b"film.~0002", "film.\u{F07E}0002"),
        (b"film.~02", "film.~02"),
    ];
    for (name, lower) in cases {
        assert_eq!(&encode(name), lower, "{name:?}");
        assert_eq!(&decode(lower), name);
    }
}

#[test]
fn variants_tell_case_twins_apart() {
    assert_eq!(variant(b"makefile", 1), "\u{F06D}akefile");
    let twins: Vec<Vec<u8>> = (0..64u32).map(|bits| case_twin("abcdef", bits)).collect();
    let folds: HashSet<_> = twins
        .iter()
        .map(|t| fold(&variant(t, FULL_VARIANT)))
        .collect();
    assert_eq!(folds.len(), twins.len());
}

#[test]
fn longest_names_fit() {
    assert!(fits(&encode(&[0xff; NAME_MAX])));
    assert!(fits(&variant(&[b'x'; NAME_MAX], FULL_VARIANT)));
    assert!(!fits(&part(&encode(&[b'x'; NAME_MAX]), 2)));
}

#[test]
fn composed_and_decomposed_names_are_the_same_on_the_medium() {
    let (composed, decomposed) = ("\u{e9}t\u{e9}", "e\u{301}te\u{301}");
    assert_eq!(fold(composed), fold(decomposed));
    assert_eq!(fold("\u{ac00}"), fold("\u{1100}\u{1161}"));
    let full = |name: &str| fold(&variant(name.as_bytes(), FULL_VARIANT));
    assert_ne!(full(composed), full(decomposed));
    assert_ne!(full("\u{ac00}"), full("\u{1100}\u{1161}"));
}

/// Each character beside what it is taken for.
#[test]
fn every_character_has_a_variant_taken_for_no_other() {
    let full = |name: &str| fold(&variant(name.as_bytes(), FULL_VARIANT));
    for one in ('\0'..=char::MAX).map(String::from) {
        let other = fold(&one);
        if one != other && is_valid(one.as_bytes()) && is_valid(other.as_bytes()) {
            let plain = fold(&encode(one.as_bytes()));
            assert_ne!(full(&one), full(&other));
            assert_ne!(full(&one), fold(&encode(other.as_bytes())), "{one:?}");
            assert_ne!(full(&other), plain, "{other:?}");
        }
    }
}

fn case_twin(word: &str, bits: u32) -> Vec<u8> {
    let flip = |(i, b): (usize, u8)| {
        if bits >> i & 1 == 1 {
            b.to_ascii_uppercase()
        } else {
            b
        }
    };
    word.bytes().enumerate().map(flip).collect()
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 1..=NAME_MAX);
    let text = "\\PC{1,60}".prop_map(String::into_bytes);
    let odd = "[cC][oO][nN]|[a-c]{1,6}~[0-9]{1,2}(\\.[a-z]{1,3})?|[a-f:? .~0-9]{1,12}|[a~0.]{1,6}";
    prop_oneof![bytes, text, odd.prop_map(String::into_bytes)].prop_filter("valid", |n| is_valid(n))
}

proptest! {
    #[test]
    fn every_variant_decodes_to_its_name(name in any_name(), pick in any::<u32>()) {
        let lower = variant(&name, pick);
        prop_assert_eq!(decode(&lower), name);
        prop_assert!(fits(&lower));
    }

    #[test]
    fn lower_names_are_legal(name in any_name()) {
        let lower = encode(&name);
        prop_assert!(lower.chars().all(|c| c >= ' ' && !FORBIDDEN.contains(&c)));
        prop_assert!(!lower.ends_with(['.', ' ']));
        prop_assert!(!is_device(&lower) && tilde_of_alias(&lower).or(tilde_of_part(&lower)).is_none());
    }

    #[test]
    fn full_variants_never_collide(a in any_name(), b in any_name()) {
        prop_assume!(a != b);
        prop_assert_ne!(fold(&variant(&a, FULL_VARIANT)), fold(&variant(&b, FULL_VARIANT)));
    }

    #[test]
    fn decoding_takes_anything(lower in "\\PC*") {
        prop_assert!(decode(&lower).len() <= lower.len());
    }
}
