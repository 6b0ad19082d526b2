//! One run at a time on a machine: two would disturb each other's figures, and some benchmarks of pyperformance listen on ports
//! of their own choice.

use std::env;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Waits until no other run measures; none begins while the result lives.
pub fn alone() -> Result<File, String> {
    exclusive(&env::temp_dir().join("serigraph-bench.lock"), || {
        println!("another `cargo xtask bench` is measuring on this machine: waiting for its end");
    })
}

/// Locks a file, which is made when there is none; says so before it waits. The lock goes with the process, however it ends.
fn exclusive(path: &Path, waiting: impl FnOnce()) -> Result<File, String> {
    let fault = |error: std::io::Error| format!("cannot lock {}: {error}", path.display());
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(fault)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => waiting(),
        Err(TryLockError::Error(error)) => return Err(fault(error)),
    }
    file.lock().map_err(fault)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::exclusive;
    use crate::scratch::Scratch;

    #[test]
    fn the_second_waits_for_the_first() {
        let scratch = Scratch::new("lock").expect("a folder");
        let path = scratch.path().join("lock");
        let first = exclusive(&path, || panic!("nobody else has it")).expect("locked");
        let (waits, waiting) = mpsc::channel();
        let second = thread::spawn({
            let path = path.clone();
            move || exclusive(&path, || waits.send(()).expect("somebody listens"))
        });
        waiting.recv().expect("it says that it waits");
        assert!(!second.is_finished());
        drop(first);
        assert!(second.join().expect("no panic").is_ok());
    }
}
