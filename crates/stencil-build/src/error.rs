//! Errors of the build.

use std::fmt;
use std::path::Path;

/// Why the stencils could not be made.
#[derive(Debug)]
pub struct BuildError(String);

impl BuildError {
    pub(crate) fn new(text: impl Into<String>) -> BuildError {
        BuildError(text.into())
    }
    pub(crate) fn io(path: &Path, error: std::io::Error) -> BuildError {
        BuildError(format!("{}: {error}", path.display()))
    }
    /// Names the stencil it is about.
    pub(crate) fn within(self, stencil: &str) -> BuildError {
        BuildError(format!("stencil {stencil}: {}", self.0))
    }
    /// Adds a line of explanation.
    pub(crate) fn with_note(self, note: &str) -> BuildError {
        BuildError(format!("{}\n{note}", self.0))
    }
    /// All of them in one, if there are any.
    pub(crate) fn join(errors: Vec<BuildError>) -> Option<BuildError> {
        let texts: Vec<String> = errors.into_iter().map(|e| e.0).collect();
        (!texts.is_empty()).then(|| BuildError(texts.join("\n")))
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}
