use super::*;

fn facts(label: &str, directories: &[&str], files: &[&str]) -> MediaFacts {
    let entries = |names: &[&str], kind| -> Vec<Entry> {
        names
            .iter()
            .map(|name| Entry {
                name: (*name).to_owned(),
                kind,
            })
            .collect()
    };
    let mut root = entries(directories, EntryKind::Directory);
    root.extend(entries(files, EntryKind::File));
    MediaFacts {
        label: label.into(),
        root,
        ..MediaFacts::default()
    }
}

fn kind(facts: &MediaFacts) -> MediaKind {
    recognise(facts).kind
}

#[test]
fn contents_name_the_medium() {
    let cases = [
        (facts("", &[], &[]), MediaKind::Plain),
        (facts("HOLIDAY", &["DCIM"], &["a.jpg"]), MediaKind::Plain),
        (
            facts("casper-rw", &["upper", "work"], &[]),
            MediaKind::Casper,
        ),
        (
            facts("writable", &["upper", "work", "lost+found"], &["format"]),
            MediaKind::Casper,
        ),
        (facts("casper-rw", &["lost+found"], &[]), MediaKind::Casper),
        (
            facts("casper-rw", &["etc", "var", "home"], &[]),
            MediaKind::CasperOld,
        ),
        (facts("home-rw", &["ubuntu"], &[]), MediaKind::CasperHome),
        (
            facts("", &[], &["casper-sn.squashfs"]),
            MediaKind::CasperSnapshot,
        ),
        (facts("casper-sn", &[], &[]), MediaKind::CasperSnapshot),
        (
            facts("persistence", &["rw", "work"], &["persistence.conf"]),
            MediaKind::LiveBoot,
        ),
        (facts("STICK", &[], &["casper-rw"]), MediaKind::Casper),
        (facts("STICK", &[], &["persistence"]), MediaKind::LiveBoot),
        (
            facts("Ventoy", &["ventoy"], &["ubuntu.iso", "persistence.dat"]),
            MediaKind::Ventoy,
        ),
        (facts("TailsData", &[], &[]), MediaKind::Tails),
    ];
    for (facts, expected) in cases {
        assert_eq!(kind(&facts), expected, "{facts:?}");
    }
}

#[test]
fn facts_beside_the_root_name_it_too() {
    let conf = MediaFacts {
        persistence_conf: Some("/ union".into()),
        ..facts("x", &["rw"], &[])
    };
    assert_eq!(kind(&conf), MediaKind::LiveBoot);
    let gpt = MediaFacts {
        partition_name: "persistence".into(),
        ..MediaFacts::default()
    };
    assert_eq!(kind(&gpt), MediaKind::LiveBoot);
    let tails = MediaFacts {
        partition_name: "TailsData".into(),
        ..MediaFacts::default()
    };
    assert_eq!(kind(&tails), MediaKind::Tails);
    let rufus = MediaFacts {
        siblings: vec!["UEFI_NTFS".into()],
        ..facts("casper-rw", &["upper"], &[])
    };
    assert_eq!(kind(&rufus), MediaKind::Rufus);
    let overlay = Entry {
        name: "overlay-Fedora-1234".into(),
        kind: EntryKind::Directory,
    };
    let live_os = MediaFacts {
        live_os: vec![overlay],
        ..facts("FEDORA", &["LiveOS"], &[])
    };
    assert_eq!(kind(&live_os), MediaKind::LiveOs);
    let home = Entry {
        name: "home.img".into(),
        kind: EntryKind::File,
    };
    let live_os = MediaFacts {
        live_os: vec![home],
        ..facts("FEDORA", &["LiveOS"], &[])
    };
    assert_eq!(kind(&live_os), MediaKind::LiveOs);
    let image = Entry {
        name: "squashfs.img".into(),
        kind: EntryKind::File,
    };
    let medium = MediaFacts {
        live_os: vec![image],
        ..facts("FEDORA", &["LiveOS"], &[])
    };
    assert_eq!(kind(&medium), MediaKind::LiveMedium);
    let installer = MediaFacts {
        disk_info: true,
        ..facts("Ubuntu 24.04", &["casper"], &[])
    };
    assert_eq!(kind(&installer), MediaKind::LiveMedium);
}

#[test]
fn the_marker_wins() {
    let ours = MediaFacts {
        marker: true,
        ..facts("writable", &["upper"], &[])
    };
    assert_eq!(kind(&ours), MediaKind::Wendy);
}

#[test]
fn a_description_is_one_plain_sentence() {
    for (.., description) in RULES {
        assert!((10..90).contains(&description.len()), "{description}");
        assert!(!description.ends_with('.'), "{description}");
    }
}
