//! The settings `enable()` is given. The Python side has checked them; what reaches the engine malformed all the same is an error.

use std::fs::File;
use std::path::Path;

use serigraph_trace::opt::Passes;

use crate::dump::{Dump, Stage};
use crate::limits::Limits;
use crate::log::Level;

/// A setting's value as Python gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// An int.
    Int(i64),
    /// A str.
    Text(String),
}

/// A set of trace numbers: `3,8-11`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selection(Vec<(u32, u32)>);

impl Selection {
    fn parse(text: &str) -> Option<Selection> {
        let mut ranges = Vec::new();
        for word in text.split(',') {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            ranges.push((first.parse().ok()?, last.parse().ok()?));
        }
        Some(Selection(ranges))
    }

    /// Whether a trace is in it.
    pub fn contains(&self, trace: u32) -> bool {
        self.0
            .iter()
            .any(|&(first, last)| (first..=last).contains(&trace))
    }
}

/// All settings.
#[derive(Debug)]
pub struct Options {
    /// Thresholds and limits.
    pub limits: Limits,
    /// What is logged.
    pub log: Option<Level>,
    /// Where to; `None` is stderr.
    pub log_file: Option<File>,
    /// The stages that are written out.
    pub dump: Dump,
    /// The optimiser passes that run.
    pub passes: Passes,
    /// The traces that are compiled; `None` is all.
    pub only: Option<Selection>,
    /// Seed with which the register allocator chooses at random.
    pub random_registers: Option<u64>,
    /// Recordings stop after 0, 1, ... up to this many instructions, in turn, and then begin anew: for tests of the recorder,
    /// each of whose prefixes is a valid exit.
    pub stop_after: Option<u32>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            limits: Limits::default(),
            log: None,
            log_file: None,
            dump: Dump::default(),
            passes: Passes::ALL,
            only: None,
            random_registers: None,
            stop_after: None,
        }
    }
}

/// Splits `WORD[:PATH]` and opens the file for appending.
fn with_path(text: &str) -> Result<(&str, Option<File>), String> {
    let Some((word, path)) = text.split_once(':') else {
        return Ok((text, None));
    };
    let file = File::options()
        .append(true)
        .create(true)
        .open(Path::new(path));
    file.map(|f| (word, Some(f)))
        .map_err(|e| format!("cannot open {path}: {e}"))
}

impl Options {
    /// Reads the settings.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, Value)>) -> Result<Options, String> {
        let mut options = Options::default();
        for (name, value) in pairs {
            options
                .set(&name, &value)
                .map_err(|e| format!("{name}: {e}"))?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        match (name, value) {
            ("threshold", &Value::Int(n)) => {
                let n = u32::try_from(n).unwrap_or(u32::MAX).max(1);
                self.limits = Limits {
                    code_bytes: self.limits.code_bytes,
                    ..Limits::with_threshold(n)
                };
            }
            ("code_limit", &Value::Int(n)) => {
                self.limits.code_bytes =
                    usize::try_from(n).map_err(|_| "must not be negative".to_owned())?;
            }
            ("random_ra", &Value::Int(n)) => self.random_registers = Some(n as u64),
            ("stop_after", &Value::Int(n)) => self.stop_after = u32::try_from(n).ok(),
            ("log", Value::Text(text)) => {
                let (level, file) = with_path(text)?;
                self.log = Some(
                    Level::from_name(level)
                        .ok_or_else(|| format!("no level is called {level:?}"))?,
                );
                self.log_file = file;
            }
            ("dump", Value::Text(text)) => {
                let (names, file) = with_path(text)?;
                let stages: Result<Vec<Stage>, String> = names
                    .split(',')
                    .map(|n| Stage::from_name(n).ok_or_else(|| format!("no stage is called {n:?}")))
                    .collect();
                self.dump = Dump::new(&stages?, file);
            }
            ("opt", Value::Text(text)) => {
                self.passes = Passes::parse(text)?;
            }
            ("only", Value::Text(text)) => {
                self.only = Some(
                    Selection::parse(text)
                        .ok_or_else(|| format!("{text:?} is no list of numbers and ranges"))?,
                );
            }
            _ => return Err(format!("there is no such setting with the value {value:?}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serigraph_trace::opt::Pass;

    use super::*;

    fn options(pairs: &[(&str, Value)]) -> Result<Options, String> {
        Options::from_pairs(pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())))
    }

    #[test]
    fn settings_are_read() {
        let got = options(&[
            ("code_limit", Value::Int(4096)),
            ("threshold", Value::Int(2)),
            ("opt", Value::Text("-cse,-peel".to_owned())),
            ("only", Value::Text("3,8-11".to_owned())),
            ("dump", Value::Text("opt,asm".to_owned())),
        ])
        .unwrap();
        assert_eq!((got.limits.hot_header, got.limits.code_bytes), (2, 4096));
        assert!(
            !got.passes.has(Pass::Cse) && !got.passes.has(Pass::Peel) && got.passes.has(Pass::Sink)
        );
        let only = got.only.unwrap();
        assert_eq!(
            [2, 3, 7, 8, 11, 12].map(|n| only.contains(n)),
            [false, true, false, true, true, false]
        );
        assert!(got.dump.wants(Stage::Asm) && !got.dump.wants(Stage::Record));
    }

    #[test]
    fn malformed_settings_are_named() {
        assert!(
            options(&[("only", Value::Text("x".to_owned()))])
                .unwrap_err()
                .starts_with("only: ")
        );
        assert!(
            options(&[("nonsense", Value::Int(1))])
                .unwrap_err()
                .starts_with("nonsense: ")
        );
        assert!(
            options(&[("log", Value::Text("loud".to_owned()))])
                .unwrap_err()
                .contains("loud")
        );
    }
}
