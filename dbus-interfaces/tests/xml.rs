//! The XML files keep the D-Bus DTD and say everything a frontend's author needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use wendy_dbus::{ACTION_PREFIX, INTERFACES};
use zbus_xml::{ArgDirection, Interface, Node, PropertyAccess};

const ACTIONS: [&str; 9] = [
    "prepare-device",
    "prepare-device-system",
    "save-session",
    "switch-upper-layer",
    "snapshot",
    "snapshot-export",
    "manage-store",
    "unlock-store",
    "manage-others",
];

const EMITS: &str = "org.freedesktop.DBus.Property.EmitsChangedSignal";

fn parse(xml: &'static str) -> Interface<'static> {
    let (node, warnings) = Node::from_reader_with_warnings(xml.as_bytes()).unwrap();
    assert!(
        warnings.is_empty(),
        "elements outside the DTD: {warnings:?}"
    );
    assert!(node.name().is_none() && node.nodes().is_empty());
    let [interface] = node.interfaces() else {
        panic!("one interface per file")
    };
    interface.to_owned()
}

/// The comment that begins with `Member:`.
fn comment<'a>(xml: &'a str, member: &str) -> &'a str {
    let comments = xml
        .split("<!--")
        .skip(1)
        .filter_map(|rest| rest.split_once("-->"));
    let mut found = comments
        .map(|(comment, _)| comment)
        .filter(|comment| comment.trim_start().starts_with(&format!("{member}:")));
    let comment = found
        .next()
        .unwrap_or_else(|| panic!("{member} is not documented"));
    assert!(found.next().is_none(), "{member} is documented twice");
    comment
}

#[test]
fn every_file_is_one_interface_by_the_dtd() {
    for (name, xml) in INTERFACES {
        assert!(xml.starts_with("<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object"));
        assert_eq!(parse(xml).name().as_str(), name);
        comment(xml, name);
    }
}

#[test]
fn every_argument_has_a_name_and_a_direction() {
    for (_, xml) in INTERFACES {
        let interface = parse(xml);
        for method in interface.methods() {
            assert!(method.args().iter().all(|arg| arg.name().is_some()));
            assert!(
                method.args().iter().all(|arg| arg.direction().is_some()),
                "{}",
                method.name()
            );
        }
        for signal in interface.signals() {
            let outward = |direction| matches!(direction, None | Some(ArgDirection::Out));
            assert!(signal.args().iter().all(|arg| arg.name().is_some()));
            assert!(signal.args().iter().all(|arg| outward(arg.direction())));
        }
    }
}

#[test]
fn properties_are_read_only_and_say_how_they_change() {
    for (_, xml) in INTERFACES {
        for property in parse(xml).properties() {
            assert_eq!(
                property.access(),
                PropertyAccess::Read,
                "{}",
                property.name()
            );
            let [annotation] = property.annotations() else {
                panic!("{}", property.name())
            };
            assert_eq!(annotation.name(), EMITS);
            assert!(["true", "false", "const"].contains(&annotation.value()));
        }
    }
}

#[test]
fn every_member_is_documented() {
    for (_, xml) in INTERFACES {
        let interface = parse(xml);
        for property in interface.properties() {
            assert!(
                comment(xml, property.name().as_str()).len() > 20,
                "{}",
                property.name()
            );
        }
        for signal in interface.signals() {
            let comment = comment(xml, signal.name().as_str());
            assert!(
                signal
                    .args()
                    .iter()
                    .all(|arg| documents(comment, arg.name()))
            );
        }
        for method in interface.methods() {
            let comment = comment(xml, method.name().as_str());
            assert!(
                method
                    .args()
                    .iter()
                    .all(|arg| documents(comment, arg.name())),
                "{comment}"
            );
        }
    }
}

#[test]
fn every_method_names_its_polkit_action_and_its_errors() {
    for (_, xml) in INTERFACES {
        for method in parse(xml).methods() {
            let comment = comment(xml, method.name().as_str());
            let (_, rest) = comment.split_once("polkit: ").expect("a polkit line");
            let (polkit, errors) = rest.split_once("Errors: ").expect("a line of errors");
            let mut actions = polkit
                .split(ACTION_PREFIX)
                .skip(1)
                .map(first_word)
                .peekable();
            assert!(
                polkit.starts_with("none") || actions.peek().is_some(),
                "{}",
                method.name()
            );
            assert!(actions.all(|action| ACTIONS.contains(&action)), "{polkit}");
            assert!(errors.contains(char::is_uppercase), "{}", method.name());
        }
    }
}

#[test]
fn the_overview_lists_every_error() {
    let (_, xml) = INTERFACES[0];
    let overview = comment(xml, "org.ubuntu.Wendy");
    let (_, rest) = overview.split_once("Error.* : ").unwrap();
    let (list, _) = rest.split_once('.').unwrap();
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    assert_eq!(names.len(), 19);
    for name in names {
        let full = format!("{}{name}", wendy_dbus::error::PREFIX);
        assert!(wendy_dbus::Error::from_name(&full, "").is_some(), "{name}");
    }
}

fn documents(comment: &str, argument: Option<&str>) -> bool {
    argument.is_some_and(|name| comment.contains(&format!("@{name}:")))
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_lowercase() && c != '-')
        .next()
        .unwrap_or_default()
}
