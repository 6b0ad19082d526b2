//! Tests as text files: an input, a command, the expected output, blessed by `BLESS=1 cargo test`.
//!
//! ```text
//! # What this shows, in a line.
//! test verify
//! trace root locals 1 top 1
//! end loop
//! ----
//! end: a back edge, but no loop start
//! ====
//! # The next case.
//! ...
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// What a `test` line names: words after the command's name and the input text to the output text.
pub type Command = fn(&[&str], &str) -> String;

/// Runs all `*.trace` files under a folder. `Err` describes every case whose output is not the expected one.
pub fn run_folder(folder: &Path, commands: &[(&str, Command)]) -> Result<usize, String> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let bless = std::env::var_os("BLESS").is_some_and(|v| v == "1");
    let mut failures = String::new();
    let mut count = 0;
    for file in &files {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut blessed = Vec::new();
        for case in text.split("====\n") {
            count += 1;
            let (head, expected) = case.split_once("----\n").unwrap_or((case, ""));
            let actual =
                run_case(head, commands).map_err(|e| format!("{}: {e}", file.display()))?;
            if actual.trim_end() != expected.trim_end() && !bless {
                failures += &format!(
                    "{}: the output changed (BLESS=1 accepts it)\n{}\n--- expected\n{}\n--- actual\n{}\n",
                    file.display(),
                    head.trim_end(),
                    expected.trim_end(),
                    actual.trim_end()
                );
            }
            blessed.push(format!(
                "{}\n----\n{}\n",
                head.trim_end(),
                actual.trim_end()
            ));
        }
        let blessed = blessed.join("====\n");
        if bless && blessed != text {
            fs::write(file, blessed).map_err(|e| format!("{}: {e}", file.display()))?;
        }
    }
    if failures.is_empty() {
        Ok(count)
    } else {
        Err(failures)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let path = entry
            .map_err(|e| format!("{}: {e}", folder.display()))?
            .path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "trace") {
            files.push(path);
        }
    }
    Ok(())
}

fn run_case(head: &str, commands: &[(&str, Command)]) -> Result<String, String> {
    let start = head
        .find("test ")
        .filter(|&at| at == 0 || head[..at].ends_with('\n'));
    let start = start.ok_or_else(|| format!("a case without a `test` line:\n{head}"))?;
    let (line, input) = head[start..]
        .split_once('\n')
        .unwrap_or((&head[start..], ""));
    let mut words = line.split_whitespace().skip(1);
    let name = words.next().unwrap_or("");
    let command = commands.iter().find(|(n, _)| *n == name);
    let (_, command) = command.ok_or_else(|| format!("there is no test command `{name}`"))?;
    Ok(command(&words.collect::<Vec<_>>(), input))
}
