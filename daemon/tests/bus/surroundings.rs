//! What lies around the daemon: directories all can write to, its environment, and the tools it runs.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use wendy_dbus::{options::SaveOptions, proxies::WendyProxy};
use zbus::fdo::ObjectManagerProxy;

use crate::{
    calls::{outcome, prepare, save},
    common::{Stick, ensure_udev, run, store_on},
    living::{Living, object_on},
    policy::{ALLOW, POLICIES, Policy},
    system::{NOBODY, System, source},
};

/// Nobody with or without rights prepares a blank stick; the stick afterwards.
async fn prepare_whole_way(system: &System, policy: Policy, name: &str) -> Stick {
    ensure_udev();
    let stick = Stick::new(128 << 20);
    let nobody = system.connect(NOBODY).await;
    let device = object_on(&nobody, ".Device", stick.node(), None).await;
    let error = prepare(&nobody, &device, name).await;
    let is_right = match policy.refusal {
        None => error.is_empty(),
        Some(_) => policy.refuses_with(&error),
    };
    assert!(is_right, "{error}");
    let is_store = store_on(stick.node()).is_some();
    assert_eq!(is_store, policy.refusal.is_none());
    stick
}

#[tokio::test]
async fn nothing_is_written_where_all_can_write() {
    let script = "for shared in /tmp /var/tmp; do
            mount --bind $shared $shared && mount -o remount,bind,ro $shared || exit 1
        done
        exec \"$0\"";
    for policy in POLICIES {
        let mut daemon = Command::new("unshare");
        daemon.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_wendyd")]);
        let system = System::start_as(policy.rules, &mut daemon).await;
        prepare_whole_way(&system, policy, "Mine").await;
    }
}

#[tokio::test]
async fn what_is_remembered_is_for_root_alone_and_can_be_lost_at_any_time() {
    let unit = fs::read_to_string(source("systemd/wendyd.service")).unwrap();
    assert!(unit.lines().any(|line| line == "RuntimeDirectoryMode=0700"));
    let living = Living::start(ALLOW).await;
    let root = living.system.connect(0).await;
    living.live.write("srv/data", &"much ".repeat(1 << 20));
    let index = living.live.directory.path().join("index");
    let rules = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        rules.path(),
        format!("d {} 0700 root root 0\n", index.display()),
    )
    .unwrap();
    let wendy = WendyProxy::new(&root).await.unwrap();
    for name in ["One", "Two"] {
        let options = SaveOptions::default();
        let job = wendy.save_session(&living.store, name, &options).await;
        for _ in 0..5 {
            let clean = Command::new("systemd-tmpfiles")
                .arg("--clean")
                .arg(rules.path())
                .status();
            assert!(clean.unwrap().success());
        }
        assert_eq!(outcome(&root, job).await, "");
    }
    assert_eq!(
        save(&root, &living.store, "Three", SaveOptions::default()).await,
        ""
    );
    for entry in fs::read_dir(&index).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}

/// Each would leave a mark if it were run.
fn traps(directory: &Path) -> String {
    let mark = directory.join("mark");
    for tool in [
        "mkfs.ext4",
        "mke2fs",
        "sfdisk",
        "e2fsck",
        "udevadm",
        "blkid",
        "sh",
        "mount",
        "wendy-probe",
    ] {
        let trap = directory.join(tool);
        fs::write(&trap, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Obeyed by mke2fs(8) where it comes through: a store without a journal.
    let config = "[defaults]\n\tbase_features = filetype\n\tblocksize = 1024\n";
    fs::write(directory.join("mke2fs.conf"), config).unwrap();
    directory.display().to_string()
}

#[tokio::test]
async fn no_word_of_a_caller_or_of_the_environment_steers_a_tool() {
    for (policy, name) in POLICIES
        .into_iter()
        .zip(["-O ^has_journal", "$(reboot)", "; reboot"])
    {
        let directory = tempfile::tempdir().unwrap();
        let traps = traps(directory.path());
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_wendyd"));
        daemon
            .env("PATH", &traps)
            .env("MKE2FS_CONFIG", format!("{traps}/mke2fs.conf"))
            .env("BASH_ENV", format!("{traps}/sh"))
            .env("TMPDIR", &traps)
            .env("LC_ALL", "tr_TR.UTF-8");
        let system = System::start_as(policy.rules, &mut daemon).await;
        let stick = prepare_whole_way(&system, policy, name).await;
        assert!(!directory.path().join("mark").exists());
        if policy.refusal.is_none() {
            let partition = stick.partition(1);
            let facts = run("dumpe2fs", &["-h", partition.node().to_str().unwrap()]);
            let facts = String::from_utf8(facts).unwrap();
            assert!(
                facts.contains("has_journal") && facts.contains("metadata_csum"),
                "{facts}"
            );
            assert_eq!(partition.store().record().name.as_str(), name);
        }
    }
}

/// One room starts programs, and none of them is a shell.
#[test]
fn nothing_but_the_runner_starts_a_program() {
    let mut runners = Vec::new();
    for room in [
        "daemon",
        "layers",
        "store",
        "sys",
        "dbus-interfaces",
        "client",
    ] {
        for (path, text) in sources(&source(room).join("src")) {
            let shell = ["\"sh\"", "/bin/sh", "/bin/bash", "\"-c\""];
            let words = shell.iter().find(|word| text.contains(**word));
            assert_eq!(words, None, "{}", path.display());
            if text.contains("Command::new(") {
                runners.push(path.strip_prefix(source(".")).unwrap().to_owned());
            }
        }
    }
    runners.sort();
    // The first holds a user namespace open with a process that does nothing.
    let known = ["sys/src/mount/idmap.rs", "sys/src/tool.rs"];
    assert_eq!(runners, known.map(Path::new));
}

/// The source files of a room, but for its tests.
fn sources(directory: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path
            .file_stem()
            .is_some_and(|name| name == "tests" || name == "testing");
        if path.is_dir() && !is_test {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") && !is_test {
            let text = fs::read_to_string(&path).unwrap();
            // What follows is compiled for tests only.
            let text = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap()
                .to_owned();
            found.push((path, text));
        }
    }
    found
}

/// Every local user can read every property.
#[tokio::test]
async fn what_all_can_read_names_no_file_and_holds_no_secret() {
    let living = Living::start(ALLOW).await;
    let (root, nobody) = (
        living.system.connect(0).await,
        living.system.connect(NOBODY).await,
    );
    living.live.write("home/ann/secret-plan", "gunpowder");
    let options = SaveOptions {
        exclude: Some(vec!["/home/ann/hidden*".to_owned()]),
        ..SaveOptions::default()
    };
    assert_eq!(save(&root, &living.store, "One", options).await, "");
    let wendy = WendyProxy::new(&root).await.unwrap();
    let device = object_on(&root, ".Device", living.partition.node(), None).await;
    let plan = wendy_dbus::options::PrepareOptions {
        name: Some("Mine".to_owned()),
        mode: Some("partition".to_owned()),
        ..Default::default()
    };
    let (_, token) = wendy.plan_prepare(&device, &plan).await.unwrap();
    assert!(!token.is_empty());
    let manager = ObjectManagerProxy::new(&nobody, "org.ubuntu.Wendy", "/org/ubuntu/Wendy");
    let objects = manager.await.unwrap().get_managed_objects().await.unwrap();
    let text = format!("{objects:?}");
    assert!(text.contains("One") && text.contains("/jobs/"));
    for secret in [
        "secret-plan",
        "gunpowder",
        "hidden",
        "home/ann",
        token.as_str(),
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
}
