//! The packages: what they put into a live system, and that it goes again.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Suite};

use crate::wendy;

#[test]
fn the_packages_serve_when_asked_and_leave_nothing_behind() -> Result<()> {
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    let complaints =
        vm.run("systemd-analyze verify --man=no wendyd.service wendy-home@1000.service 2>&1")?;
    ensure!(
        complaints.is_empty(),
        "systemd says of the units: {complaints}"
    );
    vm.run("[ \"$(systemctl show -P IgnoreOnIsolate wendy-home@1000.service)\" = yes ]")?;
    vm.run("grep -q 'wendy-home login open' /etc/pam.d/common-session")?;
    ensure!(
        vm.attempt("systemctl is-active wendyd")?.status != 0,
        "the daemon runs unasked"
    );
    vm.run("wendyctl status && systemctl is-active wendyd")?;

    vm.run("dpkg --purge wendy wendy-home")?;
    ensure!(
        vm.attempt("systemctl is-active wendyd")?.status != 0,
        "the daemon still runs"
    );
    let left =
        vm.run("find / -xdev -iname '*wendy*' -not -path '/var/log/*' -not -path '/proc/*'")?;
    ensure!(left.is_empty(), "the purge has left {left}");
    let left = vm.attempt("grep -r wendy /etc/pam.d")?;
    ensure!(left.status != 0, "the purge has left {left:?}");
    Ok(())
}
