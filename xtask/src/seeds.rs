//! `cargo xtask seeds`: what the coverage-guided fuzzing of the stages begins with. Text that is made up hardly ever is a trace; the
//! text tests are full of them.

use std::fs;
use std::path::Path;

/// Where the text tests are, from the root.
const TESTS: &[&str] = &[
    "crates/trace/tests/opt",
    "crates/trace/tests/filetests/exits",
    "crates/trace/tests/filetests/print",
    "crates/trace/tests/filetests/regalloc",
    "crates/trace/tests/filetests/verify",
];

/// The fuzz targets that read a trace, and the bytes before it: other choices of passes, and of registers and slots.
const TARGETS: &[(&str, &[&[u8]])] = &[
    ("parse", &[b""]),
    ("optimise", &[b"\x00", b"\x03"]),
    ("allocate", &[b"\x00\x08", b"\x07\x04"]),
];

/// Writes the traces of the text tests to the folders of the fuzz targets; tells how many there are.
pub fn write(root: &Path) -> Result<usize, String> {
    let mut traces = Vec::new();
    for folder in TESTS {
        let folder = root.join(folder);
        let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(fault)? {
            let text = fs::read_to_string(entry.map_err(fault)?.path()).map_err(fault)?;
            traces.extend(traces_in(&text));
        }
    }
    for (target, beginnings) in TARGETS {
        let folder = root.join("fuzz/corpus").join(target);
        let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(fault)?;
        for (number, trace) in traces.iter().enumerate() {
            for (choice, beginning) in beginnings.iter().enumerate() {
                let file = folder.join(format!("test-{number}-{choice}"));
                fs::write(file, [beginning, trace.as_bytes()].concat()).map_err(fault)?;
            }
        }
    }
    Ok(traces.len())
}

/// The traces in a file of text tests: each from its first line to a line that ends it.
fn traces_in(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("trace ") {
            found.push(String::new());
            inside = true;
        }
        inside &= !line.starts_with("----") && !line.starts_with("====");
        if let Some(trace) = found.last_mut().filter(|_| inside) {
            trace.push_str(line);
            trace.push('\n');
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_found_between_the_lines() {
        let text = "# Why.\ntest opt\ntrace root\n  a\nend\n----\nwhat\n====\ntest x\ntrace side\n";
        assert_eq!(traces_in(text), ["trace root\n  a\nend\n", "trace side\n"]);
    }

    #[test]
    fn the_text_tests_have_traces() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for folder in TESTS {
            let mut files = fs::read_dir(root.join(folder)).unwrap();
            assert!(files.any(|file| {
                !traces_in(&fs::read_to_string(file.unwrap().path()).unwrap()).is_empty()
            }));
        }
    }
}
