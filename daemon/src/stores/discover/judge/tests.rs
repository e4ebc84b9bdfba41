use wendy_store::{BaseImage, Consistency, Generation, GenerationFacts, Name, Stack};

use super::*;
use crate::probe::{Image, Kind};

fn surface() -> Surface {
    let content = Content {
        fs_type: "ext4".into(),
        label: "writable".into(),
        uuid: "dead-beef".into(),
        partition_name: "persistence".into(),
        ..Content::default()
    };
    Surface {
        content,
        ..Surface::default()
    }
}

fn text(bytes: Vec<u8>) -> Option<Text> {
    Some(Text::new(bytes))
}

fn marker(image: Option<&str>) -> Option<Text> {
    let name = Name::new("My stick").unwrap();
    let mut record = StoreRecord::new(StoreId::derived("x"), name, 1);
    record.image = image.map(str::to_owned);
    text(record.render().unwrap())
}

fn session(generation: Option<u32>) -> SessionSeen {
    let base = BaseImage::from_layers(&[]);
    let name = Name::new("Report").unwrap();
    let record = SessionRecord::new(SessionId::random(), name, Stack::LiveBoot, base, 1);
    let number = generation.and_then(Generation::new);
    let saved = number.map(|number| {
        let kernel = "6.12".to_owned();
        let consistency = Consistency::Settled;
        let facts = GenerationFacts {
            size: 5,
            files: 2,
            entries: 3,
            kernel,
            consistency,
        };
        GenerationRecord::new(number, 9, facts).render().unwrap()
    });
    SessionSeen {
        id: record.id.to_string(),
        record: text(record.render().unwrap()),
        current: number.map(layout::current_target),
        generation: saved.map(Text::new),
    }
}

fn seen(surface: &Surface, report: &Report) -> StoreSeen {
    match judge(surface, report) {
        Verdict::Store(seen) => *seen,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_is_shown_with_its_sessions() {
    let sessions = vec![session(Some(1)), session(None)];
    let first: SessionId = sessions[0].id.parse().unwrap();
    let default = Some(layout::default_target(Some(first)));
    let report = Report {
        marker: marker(None),
        default,
        sessions,
        ..Report::default()
    };
    let seen = seen(&surface(), &report);
    assert_eq!(
        (seen.id, seen.name.as_str()),
        (Some(StoreId::derived("x")), "My stick")
    );
    assert_eq!(
        (seen.writable, seen.problem, seen.default),
        (true, None, Some(first))
    );
    let [complete, begun] = &seen.sessions[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(complete.saved.as_ref().unwrap().size, 5);
    assert_eq!(complete.kernel_parameters, "persistence");
    assert_eq!(begun.saved, None);
    assert!(begun.kernel_parameters.contains("persistence-label="));
}

#[test]
fn what_is_wrong_is_named() {
    let good = Report {
        marker: marker(None),
        ..Report::default()
    };
    let problem = |surface: &Surface, report: &Report| {
        let seen = seen(surface, report);
        (seen.problem, seen.writable)
    };
    assert_eq!(problem(&surface(), &good), (None, true));
    let protected = Surface {
        read_only: true,
        ..surface()
    };
    assert_eq!(problem(&protected, &good), (Some(Problem::ReadOnly), false));
    let newer = Report {
        marker: text(b"name=x\nformat=2\n".to_vec()),
        ..good.clone()
    };
    assert_eq!(
        problem(&surface(), &newer),
        (Some(Problem::NewerFormat), false)
    );
    for damaged in [
        &b"name=\n"[..],
        b"",
        b"\xff",
        b"name=a\nname=b\n",
        b"name=a\x1b\n",
    ] {
        let report = Report {
            marker: text(damaged.to_vec()),
            ..good.clone()
        };
        assert_eq!(
            problem(&surface(), &report),
            (Some(Problem::Corrupt), false),
            "{damaged:?}"
        );
    }
    let dirty = Report {
        needs_check: true,
        ..good.clone()
    };
    assert_eq!(problem(&surface(), &dirty), (Some(Problem::Dirty), true));
    let large = Report {
        marker: Some(Text::TooLarge),
        ..good.clone()
    };
    assert_eq!(problem(&surface(), &large), (Some(Problem::Corrupt), false));
}

#[test]
fn a_damaged_session_is_not_shown_but_told() {
    let mut renamed = session(Some(1));
    renamed.id = SessionId::random().to_string();
    let mut lost = session(Some(1));
    lost.generation = None;
    let mut elsewhere = session(Some(1));
    elsewhere.current = Some("../../etc".into());
    let mut another = session(Some(1));
    another.current = Some("generations/2".into());
    for bad in [renamed, lost, elsewhere, another] {
        let sessions = vec![bad, session(Some(1))];
        let report = Report {
            marker: marker(None),
            sessions,
            ..Report::default()
        };
        let seen = seen(&surface(), &report);
        assert_eq!(
            (seen.problem, seen.sessions.len()),
            (Some(Problem::Corrupt), 1)
        );
    }
    let mut early = session(None);
    early.record = None;
    let report = Report {
        marker: marker(None),
        sessions: vec![early],
        ..Report::default()
    };
    assert_eq!(seen(&surface(), &report).problem, None);
}

#[test]
fn a_store_in_a_file_must_be_the_one_that_is_named() {
    let inner = Report {
        marker: marker(None),
        ..Report::default()
    };
    let image = |file: &str| {
        Some(Box::new(Image {
            file: file.into(),
            report: inner.clone(),
        }))
    };
    let outer = Report {
        marker: marker(Some("persistence")),
        ..Report::default()
    };
    let found = seen(
        &surface(),
        &Report {
            image: image("persistence"),
            ..outer.clone()
        },
    );
    assert_eq!((found.kind, found.problem), (StoreKind::Image, None));
    for other in [image("writable"), None] {
        let found = seen(
            &surface(),
            &Report {
                image: other,
                ..outer.clone()
            },
        );
        assert_eq!(
            (found.problem, found.writable),
            (Some(Problem::Corrupt), false)
        );
    }
}

#[test]
fn only_what_casper_laid_out_itself_is_adopted() {
    let root = |names: &[(&str, Kind)]| Report {
        root: names
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect(),
        clean: true,
        ..Report::default()
    };
    let good = root(&[("upper", Kind::Directory), ("work", Kind::Directory)]);
    assert!(matches!(judge(&surface(), &good), Verdict::Adoptable(_)));
    let dirty = Report {
        clean: false,
        ..good.clone()
    };
    assert!(matches!(judge(&surface(), &dirty), Verdict::Foreign(_)));
    let protected = Surface {
        read_only: true,
        ..surface()
    };
    assert!(matches!(judge(&protected, &good), Verdict::Foreign(_)));
    let odd = [
        root(&[]),
        root(&[("upper", Kind::Link), ("work", Kind::Directory)]),
        root(&[("upper", Kind::Directory)]),
        root(&[
            ("upper", Kind::Directory),
            ("work", Kind::Directory),
            ("casper", Kind::Link),
        ]),
        root(&[("etc", Kind::Directory), ("usr", Kind::Directory)]),
    ];
    for report in odd {
        assert!(
            matches!(judge(&surface(), &report), Verdict::Foreign(_)),
            "{report:?}"
        );
    }
    let mut unlabelled = surface();
    unlabelled.content.label.clear();
    unlabelled.content.partition_name.clear();
    assert_eq!(judge(&unlabelled, &good), Verdict::Nothing);
}

#[test]
fn what_cannot_be_read_is_named_from_outside() {
    let Verdict::Store(seen) = judge_unseen(&surface()) else {
        panic!("not ours")
    };
    assert_eq!(
        (seen.problem, seen.writable),
        (Some(Problem::Unreadable), false)
    );
    let mut tails = surface();
    tails.content.partition_name = "TailsData".into();
    assert!(matches!(judge_unseen(&tails), Verdict::Foreign(whose) if whose.contains("Tails")));
    assert_eq!(judge_unseen(&Surface::default()), Verdict::Nothing);
}
