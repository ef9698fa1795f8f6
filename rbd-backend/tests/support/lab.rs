//! The lab that the cluster belongs to, to make trouble with: its own command (`CUTTLE_LAB`, `CUTTLE_LAB_NAME`).

use std::process::Command;

/// Does something to one of Ceph's processes: `kill`, `start`, `freeze`, `thaw`.
pub fn ceph_process(action: &str, daemon: &str) {
    let variable =
        |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start a lab, then eval \"$(./lab env)\""));
    let output = Command::new(variable("CUTTLE_LAB"))
        .args(["--name", &variable("CUTTLE_LAB_NAME"), "ceph", action, daemon])
        .output()
        .unwrap();
    assert!(output.status.success(), "ceph {action} {daemon}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Something that was done to the cluster, undone when dropped: also when the test failed.
pub struct Undone<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for Undone<F> {
    fn drop(&mut self) {
        // A test that has failed shall say why, whatever this comes to.
        let undone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut self.0));
        if let Err(failed) = undone
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(failed);
        }
    }
}
