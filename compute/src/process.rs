//! QEMU's processes by `/proc`: proof that a guest is gone, without taking libvirt's word.
//!
//! A guest's process carries `-uuid <instance id>` on its command line. The agent must see the host's
//! processes for that, so it runs in the host's PID namespace.

use std::io;
use std::path::Path;

use cuttle_model::ids::InstanceId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The processes that run this instance's guest.
pub fn of_instance(proc: &Path, instance: InstanceId) -> io::Result<Vec<i32>> {
    let uuid = instance.to_string();
    let mut pids = Vec::new();
    for entry in std::fs::read_dir(proc)? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if runs(&proc.join(&name), uuid.as_bytes()) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// Kills those of the processes that still run this instance's guest.
pub fn kill(proc: &Path, instance: InstanceId, pids: &[i32]) {
    let uuid = instance.to_string();
    for &raw in pids {
        // The descriptor is taken first and the command line read after: then it is still the same
        // process that is killed, even if its number was given to another one.
        let Some(descriptor) = Pid::from_raw(raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            continue;
        };
        if runs(&proc.join(raw.to_string()), uuid.as_bytes())
            && let Err(error) = pidfd_send_signal(&descriptor, Signal::KILL)
        {
            tracing::warn!(%instance, pid = raw, %error, "cannot kill a guest's process");
        }
    }
}

fn runs(process: &Path, uuid: &[u8]) -> bool {
    // A process that ends meanwhile has no command line: it does not run.
    let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    match line.is_empty() {
        false => names(&line, uuid),
        // A dead first thread hides the command line while others may still wait for the disk.
        true => threads_of_the_dead(process).any(|line| names(&line, uuid)),
    }
}

fn threads_of_the_dead(process: &Path) -> impl Iterator<Item = Vec<u8>> {
    let threads = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    threads.map(|thread| std::fs::read(thread.path().join("cmdline")).unwrap_or_default())
}

fn names(line: &[u8], uuid: &[u8]) -> bool {
    let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    arguments.windows(2).any(|pair| pair[0] == b"-uuid" && pair[1].eq_ignore_ascii_case(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> InstanceId {
        "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b".parse().unwrap()
    }

    fn process(proc: &Path, pid: &str, line: &[u8]) {
        std::fs::create_dir_all(proc.join(pid)).unwrap();
        std::fs::write(proc.join(pid).join("cmdline"), line).unwrap();
    }

    #[test]
    fn only_the_process_with_the_uuid_as_its_own_counts() {
        let proc = tempfile::tempdir().unwrap();
        let uuid = instance().to_string();
        process(proc.path(), "7", format!("qemu\0-name\0guest\0-uuid\0{uuid}\0-m\0128").as_bytes());
        process(proc.path(), "8", format!("grep\0{uuid}").as_bytes());
        process(proc.path(), "9", b"qemu\0-uuid\0aaaaaaaa-0000-0000-0000-000000000000\0");
        process(proc.path(), "10", b"");
        std::fs::create_dir(proc.path().join("self")).unwrap();
        assert_eq!(of_instance(proc.path(), instance()).unwrap(), [7]);
    }

    #[test]
    fn a_dead_first_thread_does_not_hide_the_others() {
        let proc = tempfile::tempdir().unwrap();
        process(proc.path(), "7", b"");
        process(&proc.path().join("7/task"), "8", format!("qemu\0-uuid\0{}", instance()).as_bytes());
        assert_eq!(of_instance(proc.path(), instance()).unwrap(), [7]);
    }

    #[test]
    fn without_proc_nothing_is_proven() {
        assert!(of_instance(Path::new("/nowhere"), instance()).is_err());
    }
}
