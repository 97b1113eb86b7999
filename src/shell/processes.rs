//! The system's table of processes: who lives, since when, in which group, writing where. Both
//! the shell that runs Terraform and the one that keeps the footprint stand on it.
//!
//! What we start as Terraform may be a wrapper: a script that sets a few variables and starts the
//! real one as its child. A wrapper can die of an interrupt, or be killed, while its Terraform goes
//! on and writes the state. So Terraform has ended when the process that we started has, *and*
//! nobody is left who may be Terraform:
//!
//! - whoever writes to the very files that we gave it as standard output and error. Terraform hands
//!   them on to nobody: its plugins and `local-exec` commands get pipes of their own. So a daemon
//!   that a provisioner leaves behind is not waited for, and Terraform is found wherever a wrapper
//!   put it, in another process group or session too;
//! - whoever bears Terraform's name in the process group that we made for it, in case the wrapper
//!   laid a pipe between it and us.
//!
//! Whom of them an interrupt is for: [`whom`].
//!
//! A wrapper can leave something in the background that holds our files, such as a tunnel. When
//! the wrapper ended of itself, Terraform, its child, had ended before, so files prove nothing then.
//!
//! Without `/proc` (macOS) nobody's files can be seen. There, whatever is left in the group of a
//! wrapper counts as Terraform: a daemon is waited for too, but no lock is let go too early.

mod whom;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use self::whom::{Candidate, whom};

/// A process that a later one with the same number cannot be mistaken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started, in the system's own notation.
    pub started: String,
}

/// A process that was started as Terraform, leading a group of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessGroup {
    leader: ProcessId,
    /// Device and inode of the files behind its standard output and error.
    output: Vec<(u64, u64)>,
    /// It began as something else than Terraform, a script for instance.
    is_wrapper: bool,
}

/// How the process that leads a group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited, unasked.
    OfItself,
    /// A signal ended it, or may have; whatever it had started may have been left behind.
    ByForce,
}

/// A process that may be Terraform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its number.
    pub pid: u32,
    /// Its name, as far as the system keeps it.
    pub name: String,
}

impl ProcessId {
    /// Looks a process up; `None` when there is none of that number. One that has ended and that
    /// nobody has waited for yet is still there.
    pub fn of(pid: u32) -> Option<ProcessId> {
        Row::of(pid).map(|row| ProcessId { pid, started: row.started })
    }

    /// Whether that very process still runs. A zombie does nothing any more and counts as dead.
    pub fn is_alive(&self) -> bool {
        Row::of(self.pid).is_some_and(|row| row.started == self.started && !row.is_dead)
    }
}

impl ProcessGroup {
    /// Looks at a process right after it was started as the leader of its own group.
    pub fn of(leader: u32) -> Option<ProcessGroup> {
        let row = Row::of(leader)?;
        Some(ProcessGroup {
            is_wrapper: !is_named_terraform(&row.name),
            leader: ProcessId { pid: leader, started: row.started },
            output: output_files(leader),
        })
    }

    /// The process that we started.
    pub fn leader(&self) -> &ProcessId {
        &self.leader
    }

    /// The processes beside the leader that may be Terraform.
    pub fn survivors(&self, ended: Ended) -> Vec<Survivor> {
        let rows = table();
        // Another leader of that number has a group of its own, and ours is gone: a number is not
        // given away while a group bears it.
        let is_reused = rows.iter().any(|row| row.pid == self.leader.pid && row.started != self.leader.started);
        let has_files = cfg!(target_os = "linux");
        rows.into_iter()
            .filter(|row| !row.is_dead && row.pid != self.leader.pid && row.pid != process::id())
            .filter(|row| {
                let in_group = row.group == self.leader.pid && !is_reused;
                let by_force = ended == Ended::ByForce;
                (in_group && (is_named_terraform(&row.name) || !has_files && self.is_wrapper))
                    || (by_force && output_files(row.pid).iter().any(|file| self.output.contains(file)))
            })
            .map(|row| Survivor { pid: row.pid, name: row.name })
            .collect()
    }

    /// The Terraforms among all that belongs to it, for an interrupt. The process that we started is one
    /// of them only where its program is Terraform.
    pub fn terraforms(&self) -> Vec<Survivor> {
        let rows: Vec<Row> = table().into_iter().filter(|row| !row.is_dead && row.pid != process::id()).collect();
        let is_reused = rows.iter().any(|row| row.pid == self.leader.pid && row.started != self.leader.started);
        let below = if is_reused { Vec::new() } else { below(self.leader.pid, &rows) };
        let mut candidates = Vec::new();
        for row in &rows {
            let has_our_output = output_files(row.pid).iter().any(|file| self.output.contains(file));
            let is_in_group = row.group == self.leader.pid && !is_reused;
            if has_our_output || is_in_group || below.contains(&row.pid) {
                let is_terraform = is_named_terraform(&row.program());
                candidates.push(Candidate { pid: row.pid, parent: row.parent, is_terraform, has_our_output });
            }
        }
        let wanted = whom(&candidates);
        let chosen = rows.into_iter().filter(|row| wanted.contains(&row.pid));
        chosen.map(|row| Survivor { pid: row.pid, name: row.name }).collect()
    }

    /// The files in a directory that were its standard output and error. None without `/proc`.
    pub fn output_in(&self, directory: &Path) -> Vec<PathBuf> {
        let files = fs::read_dir(directory).into_iter().flatten().flatten();
        let is_ours = |file: &fs::Metadata| file.is_file() && self.output.contains(&(file.dev(), file.ino()));
        files.filter(|file| file.metadata().is_ok_and(|file| is_ours(&file))).map(|file| file.path()).collect()
    }

    /// Whoever of it may still touch the state, the leader first; `None` when it is over.
    pub fn at_work(&self) -> Option<u32> {
        if self.leader.is_alive() {
            return Some(self.leader.pid);
        }
        self.survivors(Ended::ByForce).first().map(|survivor| survivor.pid)
    }
}

/// Sends one SIGINT.
///
/// # Errors
/// It may not be sent, or there is no such process.
pub fn interrupt(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("not a process"))?;
    Ok(kill_process(pid, Signal::INT)?)
}

/// Kills a whole process group; one that has ended is no error.
///
/// # Errors
/// It may not be killed.
pub fn kill_group(leader: u32) -> io::Result<()> {
    let leader = i32::try_from(leader).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("not a process"))?;
    match kill_process_group(leader, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a process works in this directory, beside this one and those that started it. `None` where
/// that cannot be told: without `/proc`, or of a directory that is gone.
pub fn is_anybody_in(directory: &Path) -> Option<bool> {
    let directory = directory.canonicalize().ok()?;
    let mut ours = vec![process::id()];
    while let Some(parent) = ours.last().and_then(|pid| parent_of(*pid)).filter(|parent| *parent > 1) {
        ours.push(parent);
    }
    let is_there = |row: &Row| fs::read_link(format!("/proc/{}/cwd", row.pid)).is_ok_and(|place| place == directory);
    let mut others = table().into_iter().filter(|row| !row.is_dead && !ours.contains(&row.pid));
    (ours.len() > 1).then(|| others.any(|row| is_there(&row)))
}

/// Who started a process; `None` without `/proc`.
fn parent_of(pid: u32) -> Option<u32> {
    if cfg!(target_os = "linux") { Row::of(pid).map(|row| row.parent) } else { None }
}

/// A process and all that it started, and what those started.
fn below(top: u32, rows: &[Row]) -> Vec<u32> {
    let mut found = vec![top];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let children = rows.iter().filter(|row| row.parent == parent && !found.contains(&row.pid));
        let children: Vec<u32> = children.map(|row| row.pid).collect();
        found.extend(children);
        next += 1;
    }
    found
}

/// One process as the system lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    pid: u32,
    parent: u32,
    group: u32,
    name: String,
    started: String,
    is_dead: bool,
}

impl Row {
    fn of(pid: u32) -> Option<Row> {
        if cfg!(target_os = "linux") {
            return Row::from_proc(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
        }
        ps(&["-p", &pid.to_string()]).pop()
    }

    /// The line of `/proc/<pid>/stat`.
    fn from_proc(pid: u32, line: &str) -> Option<Row> {
        // The name stands in parentheses and may hold spaces and parentheses itself.
        let (front, back) = line.rsplit_once(')')?;
        let fields: Vec<&str> = back.split_ascii_whitespace().collect();
        Some(Row {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            name: front.split_once('(')?.1.to_owned(),
            started: (*fields.get(19)?).to_owned(),
            is_dead: matches!(*fields.first()?, "Z" | "X"),
        })
    }

    /// A line of `ps` with the columns that [`ps`] asks for.
    fn from_ps(line: &str) -> Option<Row> {
        let mut words = line.split_ascii_whitespace();
        let mut number = || words.next()?.parse().ok();
        let (pid, parent, group) = (number()?, number()?, number()?);
        let is_dead = words.next()?.starts_with('Z');
        let started: Vec<&str> = words.by_ref().take(5).collect();
        let command = words.collect::<Vec<_>>().join(" ");
        let name = command.rsplit('/').next().unwrap_or_default().to_owned();
        Some(Row { pid, parent, group, name, started: started.join(" "), is_dead })
    }

    /// The name of the file that it runs. A script's own name can be Terraform's; what runs is a shell.
    fn program(&self) -> String {
        let file = fs::read_link(format!("/proc/{}/exe", self.pid));
        file.ok().and_then(|file| Some(file.file_name()?.to_str()?.to_owned())).unwrap_or_else(|| self.name.clone())
    }
}

/// A provider is no Terraform: it never sees the state.
fn is_named_terraform(name: &str) -> bool {
    (name.contains("terraform") || name.contains("tofu")) && !name.starts_with("terraform-pro")
}

fn table() -> Vec<Row> {
    if !cfg!(target_os = "linux") {
        return ps(&["-ax"]);
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| Row::of(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn ps(which: &[&str]) -> Vec<Row> {
    let columns = ["-o", "pid=,ppid=,pgid=,stat=,lstart=,comm="];
    let Ok(output) = Command::new("ps").args(which).args(columns).env("LC_ALL", "C").output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout).lines().filter_map(Row::from_ps).collect()
}

/// The regular files that a process has as standard output and error; none without `/proc`.
fn output_files(pid: u32) -> Vec<(u64, u64)> {
    let files = [1, 2].into_iter().filter_map(|number| fs::metadata(format!("/proc/{pid}/fd/{number}")).ok());
    files.filter(fs::Metadata::is_file).map(|file| (file.dev(), file.ino())).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Stdio};

    use super::*;

    #[test]
    fn a_dead_process_and_its_successor_are_told_apart() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let known = ProcessId::of(child.id()).unwrap();
        assert!(known.is_alive());
        assert!(
            !ProcessId { started: "1".to_owned(), ..known.clone() }.is_alive(),
            "another start time is another process"
        );
        child.kill().unwrap();
        // Not reaped yet: a zombie.
        while known.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!known.is_alive());
    }

    #[test]
    fn both_notations_of_a_row_are_read() {
        let stat = "77 (a (b) c) S 1 70 70 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 9 9";
        let expected = Row {
            pid: 77,
            parent: 1,
            group: 70,
            name: "a (b) c".to_owned(),
            started: "123456".to_owned(),
            is_dead: false,
        };
        assert_eq!(Row::from_proc(77, stat), Some(expected));
        let line = "   77     1    70 Z+   Sat Nov 21 06:33:52 2026 /opt/some where/terraform";
        let row = Row::from_ps(line).unwrap();
        assert_eq!((row.pid, row.parent, row.group, row.is_dead), (77, 1, 70, true));
        assert_eq!((row.name.as_str(), row.started.as_str()), ("terraform", "Sat Nov 21 06:33:52 2026"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_works_in_a_directory_is_seen() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(is_anybody_in(place.path()), Some(false));
        let mut child = Command::new("sleep").arg("60").current_dir(place.path()).spawn().unwrap();
        assert_eq!(is_anybody_in(place.path()), Some(true));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(is_anybody_in(place.path()), Some(false));
        assert_eq!(is_anybody_in(&place.path().join("gone")), None);
    }

    #[test]
    fn a_provider_is_not_terraform() {
        for (name, expected) in
            [("terraform", true), ("terraform-bin", true), ("tofu", true), ("terraform-provi", false), ("sleep", false)]
        {
            assert_eq!(is_named_terraform(name), expected, "{name}");
        }
    }

    /// A shell that leads a group and writes to a file of its own.
    fn group(script: &str) -> (Child, ProcessGroup) {
        let file = tempfile::tempfile().unwrap();
        let child = Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let group = ProcessGroup::of(child.id()).unwrap();
        (child, group)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_holds_the_output_outlives_the_leader_and_a_daemon_does_not_count() {
        // The daemon has other files, as everything that a provisioner starts.
        let (mut child, group) = group("sleep 61 >/dev/null 2>&1 & setsid sleep 62 & wait");
        let of = |seconds: &str| {
            let is_it = |pid: &u32| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let its_files = output_files(*pid) == group.output;
                line == format!("sleep\0{seconds}\0").as_bytes() && its_files == (seconds == "62")
            };
            table().into_iter().map(|row| row.pid).find(is_it)
        };
        while of("61").is_none() || of("62").is_none() {
            std::thread::yield_now();
        }
        assert_eq!(group.at_work(), Some(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        let survivors = group.survivors(Ended::ByForce);
        assert_eq!(survivors.iter().map(|one| one.pid).collect::<Vec<_>>(), [of("62").unwrap()]);
        assert!(group.survivors(Ended::OfItself).is_empty(), "a wrapper that ended of itself leaves no Terraform");
        // What a shell starts in the background ignores interrupts.
        let kill = |pid: u32| kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
        kill(survivors[0].pid);
        while group.at_work().is_some() {
            std::thread::yield_now();
        }
        kill(of("61").unwrap());
    }
}
