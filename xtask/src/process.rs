//! Runs a program with a time limit and collects what it says.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::scratch::Scratch;

/// What a program did.
#[derive(Debug)]
pub struct Outcome {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How it ended; `None` when it overran its time and was ended.
    pub status: Option<ExitStatus>,
    /// Wall-clock time from start to end.
    pub time: Duration,
    /// Processor time of it and its children, right as long as this process runs one at a time.
    pub processor_time: Duration,
}

impl Outcome {
    /// True when it ended by itself with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, in words.
    pub fn ending(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => format!("ended after {:.0} s", self.time.as_secs_f64()),
        }
    }
}

/// Runs a program to its end, or until the limit is over. What it writes goes through files, so that
/// a child that outlives it cannot hold us up.
pub fn run(command: &mut Command, stdin: &str, limit: Duration) -> io::Result<Outcome> {
    let scratch = Scratch::new("run")?;
    let file = |name: &str| -> io::Result<File> {
        File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(scratch.path().join(name))
    };
    let (mut input, mut stdout, mut stderr) = (file("in")?, file("out")?, file("err")?);
    input.write_all(stdin.as_bytes())?;
    input.rewind()?;

    let processor_before = processor_time_of_children();
    let started = Instant::now();
    let mut child = command
        .stdin(input)
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .process_group(0)
        .spawn()?;
    let mut pause = Duration::from_micros(200);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > limit {
            break None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    };
    let time = started.elapsed();
    // What it has started and left behind is not to go on either.
    end_group(child.id());
    if status.is_none() {
        child.wait()?;
    }
    let text = |file: &mut File| -> io::Result<String> {
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Outcome {
        stdout: text(&mut stdout)?,
        stderr: text(&mut stderr)?,
        status,
        time,
        processor_time: processor_time_of_children().saturating_sub(processor_before),
    })
}

/// Processor time of all children that have ended, system calls included.
fn processor_time_of_children() -> Duration {
    // SAFETY: the structure consists of integers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a structure of the right type that lives through the call.
    let status = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    let duration = |time: libc::timeval| {
        let micros = time.tv_sec * 1_000_000 + time.tv_usec;
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    match status {
        0 => duration(usage.ru_utime) + duration(usage.ru_stime),
        _ => Duration::ZERO,
    }
}

/// Ends a process group that [`run`] started.
fn end_group(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};

    let leader = i32::try_from(leader).ok().and_then(Pid::from_raw);
    if let Some(leader) = leader {
        // It may have ended meanwhile, which is as good.
        let _ = kill_process_group(leader, Signal::KILL);
    }
}
