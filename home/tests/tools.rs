//! The tools, on homes in ordinary directories.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{PROGRAM, command, skip, succeed, wendy_home};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use wendy_home::home::{Home, NewNode, Options};
use wendy_home::ids::Ino;
use wendy_home::medium::directory::DirectoryMedium;
use wendy_home::record::Kind;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_directory_becomes_a_home_with_all_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("pershome");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter.txt"), "dear").unwrap();
    succeed(&["create", text(&home)]);
    let readme = fs::read_to_string(home.join(".wendy/VERSION.txt")).unwrap();
    assert!(readme.contains("YOUR FILES ARE NOT IN HERE"));
    let dump = succeed(&["dump", text(&home)]);
    assert!(dump.contains("\"path\":\"letter.txt\""));
    assert!(!wendy_home(&["create", text(&home)]).status.success());
}

#[test]
fn status_and_fsck_tell_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    fs::write(dir.path().join("new"), "from outside").unwrap();
    let before = fs::read(dir.path().join(".wendy/log.0")).unwrap();
    let status: serde_json::Value =
        serde_json::from_str(&succeed(&["status", "--json", text(dir.path())])).unwrap();
    assert_eq!(status["since_last_use"]["adopted"], 1);
    assert_eq!(status["files"], 1);
    let status = succeed(&["status", text(dir.path())]);
    for told in [
        "\n1 file with 12 bytes, 1 directory, 0 links and others.\n",
        "B free on the stick.\n",
        "Since the last use 1 file or directory appeared.\n",
    ] {
        assert!(status.contains(told), "{status}");
    }
    assert_eq!(
        wendy_home(&["fsck", text(dir.path())]).status.code(),
        Some(4)
    );
    assert_eq!(fs::read(dir.path().join(".wendy/log.0")).unwrap(), before);
    assert_eq!(
        wendy_home(&["fsck", "--repair", text(dir.path())])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(
        wendy_home(&["fsck", text(dir.path())]).status.code(),
        Some(0)
    );
}

#[test]
fn status_tells_what_waits_for_its_name() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    let medium = DirectoryMedium::open(dir.path()).unwrap();
    let (home, _) = Home::open(medium, Options::new(0, 0)).unwrap();
    // Nobody else should be there now, but a full directory refuses a name as well.
    fs::write(dir.path().join("file"), "").unwrap();
    let file = NewNode {
        kind: Kind::File,
        mode: 0o600,
        uid: 0,
        gid: 0,
        device: 0,
        target: Vec::new(),
    };
    home.create(Ino::ROOT, b"file", &file).unwrap();
    home.close().unwrap();
    fs::remove_file(dir.path().join("file")).unwrap();
    let status = succeed(&["status", text(dir.path())]);
    let told = "\n1 file or directory waits for its name in .wendy/tmp.\n";
    assert!(status.contains(told), "{status}");
    let status = succeed(&["status", "--json", text(dir.path())]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["waiting"], 1);
}

#[test]
fn directories_and_archives_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("source/deep")).unwrap();
    fs::write(at("source/deep/file"), "content").unwrap();
    std::os::unix::fs::symlink("deep/file", at("source/link")).unwrap();
    let _listens = std::os::unix::net::UnixListener::bind(at("source/socket")).unwrap();
    for home in ["one", "two"] {
        succeed(&["create", text(&at(home))]);
    }
    let said = succeed(&["import", text(&at("one")), text(&at("source"))]);
    assert!(
        said.starts_with("Brought in 4 names with 7 bytes"),
        "{said}"
    );
    let said = succeed(&["export", text(&at("one")), text(&at("home.tar"))]);
    assert!(said.contains("Left out 1 socket"), "{said}");
    let said = succeed(&["import", "--json", text(&at("two")), text(&at("home.tar"))]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["names"], &said["bytes"]), (&3.into(), &7.into()));
    assert_eq!(fs::read(at("two/deep/file")).unwrap(), b"content");
    assert!(succeed(&["dump", text(&at("two"))]).contains("\"target\":\"deep/file\""));
}

#[test]
fn shells_accept_their_completion_scripts() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(&["completion", shell]);
        assert!(script.contains("import"), "{shell}");
        let file = dir.path().join(shell);
        fs::write(&file, script).unwrap();
        match command(shell).arg("-n").arg(&file).output() {
            Ok(checked) => assert!(checked.status.success(), "{shell}: {checked:?}"),
            Err(why) => skip(&format!("{shell} is not here to check its script: {why}")),
        }
    }
}

#[test]
fn there_is_a_manual_page_per_subcommand() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["man", text(dir.path())]);
    let page = |name: &str| fs::read_to_string(dir.path().join(format!("{name}.1"))).unwrap();
    let mut pages = vec!["wendy-home".to_owned()];
    for subcommand in subcommands(&[]) {
        pages.push(format!("wendy-home-{subcommand}"));
        let below = subcommands(&[&subcommand]).into_iter();
        pages.extend(below.map(|below| format!("wendy-home-{subcommand}-{below}")));
    }
    assert!(
        pages.contains(&"wendy-home-login-serve".to_owned()),
        "{pages:?}"
    );
    for name in &pages {
        assert!(page(name).contains(".TH"), "{name}");
    }
    assert!(page("wendy-home").contains("Exit status"));
    assert!(page("wendy-home-fsck").contains("Exit status"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), pages.len());
}

/// What `wendy-home --help` lists, or that of a subcommand.
fn subcommands(of: &[&str]) -> Vec<String> {
    let help = succeed(&[of, &["--help"]].concat());
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    // A line that goes on with the one before has no name in front.
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| !["", "help"].contains(name));
    names.map(str::to_owned).collect()
}

#[test]
fn damaged_metadata_is_rebuilt_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    fs::write(dir.path().join("kept"), "content").unwrap();
    for name in ["super.0", "super.1"] {
        fs::write(dir.path().join(".wendy").join(name), [0x55; 4096]).unwrap();
    }
    let report = succeed_with(1, &["fsck", "--repair", "--json", text(dir.path())]);
    assert!(report.contains("\"rebuilt\":true"), "{report}");
    assert!(succeed(&["dump", text(dir.path())]).contains("\"path\":\"kept\""));
    assert!(dir.path().join(".wendy/super.0.damaged0").exists());
}

#[test]
fn a_home_of_a_newer_format_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    let path = dir.path().join(".wendy/super.0");
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 9;
    fs::write(&path, bytes).unwrap();
    let unfinished = dir.path().join(".wendy/home.img.new");
    fs::write(&unfinished, "").unwrap();
    let output = wendy_home(&["fsck", "--repair", text(dir.path())]);
    assert!(!output.status.success());
    assert!(unfinished.exists());
    assert!(String::from_utf8_lossy(&output.stderr).contains("newer wendy-home"));
    assert!(!dir.path().join(".wendy/super.0.damaged0").exists());
}

#[test]
fn what_is_no_home_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let output = wendy_home(&["status", text(dir.path())]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(text(dir.path())), "{said}");
    assert!(said.contains("wendy-home create"), "{said}");
}

#[test]
fn sync_says_what_is_safe() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    let said = succeed(&["sync", text(dir.path())]);
    assert_eq!(said, format!("Safe on the stick: {}.\n", text(dir.path())));
}

#[test]
fn what_cannot_be_done_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let (home, file) = (dir.path().join("home"), dir.path().join("file"));
    succeed(&["create", text(&home)]);
    fs::write(&file, "").unwrap();
    for (arguments, why) in [
        (["mount", text(&home), text(&file)], "is no directory"),
        (["import", text(&home), text(&file)], "no tar archive"),
    ] {
        let output = wendy_home(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("came in so far"), "{said}");
    }
}

#[test]
fn fsck_says_what_to_do_and_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    let told = "Nothing was changed. To bring it in order: wendy-home fsck --repair";
    assert!(!succeed(&["fsck", text(dir.path())]).contains(told));
    fs::write(dir.path().join("new"), "from outside").unwrap();
    assert!(succeed_with(4, &["fsck", text(dir.path())]).contains(told));
    let repaired = succeed_with(1, &["fsck", "--repair", text(dir.path())]);
    assert!(repaired.contains("It is in order now."), "{repaired}");
}

#[test]
fn fsck_shows_on_a_terminal_what_it_does() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    fs::write(dir.path().join("new"), "from outside").unwrap();
    let run = format!("{PROGRAM} fsck --repair {}", text(dir.path()));
    // script(1) is what makes a terminal of a pipe.
    let shown = command("script").args(["-qec", &run, "/dev/null"]).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert!(shown.contains("\rlooking at the home: "), "{shown:?}");
    assert!(
        shown.contains("\rbringing the home in order: "),
        "{shown:?}"
    );
    // The line is gone before anything else is said.
    assert!(
        shown.contains("\r\x1b[KThe home was closed in order."),
        "{shown:?}"
    );
    let fsck = wendy_home(&["fsck", text(dir.path())]);
    assert_eq!(fsck.stderr, b"", "nobody looks at a pipe");
}

#[test]
fn no_name_steers_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let (home, source) = (dir.path().join("home"), dir.path().join("source"));
    fs::create_dir(&source).unwrap();
    succeed(&["create", text(&home)]);
    let mut said = String::new();
    for content in ["one", "the other"] {
        fs::write(source.join("a\x1b]0;title\x07\n\u{202e}"), content).unwrap();
        said = succeed(&["import", text(&home), text(&source)]);
    }
    assert!(said.contains("both are kept: a\\u{1b}]0;title"), "{said:?}");
    assert_eq!(said.lines().count(), 2, "{said:?}");
    assert!(!said.contains(['\x1b', '\x07', '\u{202e}']), "{said:?}");
    let refused = wendy_home(&["status", "no\x1b[2Jthing"]);
    assert!(!refused.stderr.contains(&0x1b));
}

#[test]
fn a_reader_that_leaves_is_no_trouble() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    for what in [&["status"][..], &["status", "--json"], &["fsck"], &["dump"]] {
        // Nobody reads, from the start.
        let (writer, _) = UnixStream::pair().unwrap();
        let mut program = command(PROGRAM);
        program.args(what).arg(dir.path());
        let output = program
            .stdout(std::os::fd::OwnedFd::from(writer))
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert!(!output.status.success(), "{what:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{what:?}");
    }
}

fn succeed_with(code: i32, arguments: &[&str]) -> String {
    let output = wendy_home(arguments);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
