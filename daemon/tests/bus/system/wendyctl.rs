//! wendyctl, run on the bus of a test.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use super::{PATIENCE, System, source};

impl System {
    /// wendyctl, called by somebody without a terminal.
    pub fn wendyctl(&self, args: &[&str]) -> Ran {
        let limit = PATIENCE.as_secs().to_string();
        let output = Command::new("timeout")
            .args([&limit, "setsid", "--wait"])
            .arg(wendyctl())
            .args(args)
            .env_clear()
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// What a run of wendyctl left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    #[allow(dead_code, reason = "shown when a run went wrong")]
    pub out: String,
    pub err: String,
}

/// Built as its source is now: it belongs to another package, which a test of this one alone does
/// not build.
fn wendyctl() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--locked", "--package", "wendyctl"])
            .current_dir(source("."))
            .status();
        assert!(built.unwrap().success(), "wendyctl is not built");
        let profile = Path::new(env!("CARGO_BIN_EXE_wendyd")).parent().unwrap();
        profile.with_file_name("debug").join("wendyctl")
    });
    &BUILT
}
