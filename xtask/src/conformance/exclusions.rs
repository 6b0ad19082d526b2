//! Modules and tests of the suite that are not compared, with the reason of each: one file.

use crate::interpreters::Mode;

/// The file: see its first lines for its form.
const FILE: &str = include_str!("exclusions.txt");

/// Something that is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The module, or `module:test` for the tests whose names contain `test`.
    name: &'static str,
    /// `3.12`, `3.13` or `*`.
    version: &'static str,
    /// `low`: only below the shipped threshold; `*`.
    threshold: &'static str,
    /// Whether it is a debt: something that differs.
    pub debt: bool,
    /// Why.
    pub reason: &'static str,
}

impl Exclusion {
    fn concerns(&self, version: &str, mode: Mode) -> bool {
        let is_low = matches!(mode, Mode::On(Some(_)));
        (self.version == "*" || version.starts_with(self.version))
            && (self.threshold == "*" || is_low)
    }
}

/// Reads the file.
fn all() -> Result<Vec<Exclusion>, String> {
    let lines = FILE.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&'static str> = line.splitn(5, ' ').collect();
            match fields[..] {
                [
                    kind @ ("excluded" | "not-run"),
                    version,
                    threshold @ ("low" | "*"),
                    name,
                    reason,
                ] => Ok(Exclusion {
                    name,
                    version,
                    threshold,
                    debt: kind == "excluded",
                    reason: reason.trim(),
                }),
                _ => Err(format!("not an exclusion: {line:?}")),
            }
        })
        .collect()
}

/// Why a module is not run, if so.
pub fn of_module(version: &str, mode: Mode, module: &str) -> Result<Option<Exclusion>, String> {
    let mut all = all()?.into_iter();
    Ok(all.find(|exclusion| exclusion.concerns(version, mode) && exclusion.name == module))
}

/// Why a test is not compared, if so.
pub fn of_test(
    version: &str,
    mode: Mode,
    module: &str,
    test: &str,
) -> Result<Option<Exclusion>, String> {
    let mut all = all()?.into_iter();
    Ok(all.find(|exclusion| {
        exclusion.concerns(version, mode)
            && exclusion
                .name
                .split_once(':')
                .is_some_and(|(of, part)| of == module && test.contains(part))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_each_has_a_reason() {
        for exclusion in all().expect("a well-formed file") {
            assert!(exclusion.reason.len() > 10, "{exclusion:?}");
        }
    }
}
