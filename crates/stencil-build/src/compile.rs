//! Runs rustc on the bodies.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BuildError;

/// The release whose code generation the stencils are written for.
const WANTED: &str = "1.95";

/// One set of processor features.
#[derive(Debug)]
pub struct Table {
    /// The name of the generated static.
    pub name: &'static str,
    /// What it is called for people.
    pub title: &'static str,
    /// For `-C target-feature`.
    pub features: &'static str,
}

/// The tables to make.
pub const TABLES: [&Table; 2] = [
    &Table {
        name: "SSE2",
        title: "SSE2",
        features: "",
    },
    &Table {
        name: "AVX",
        title: "AVX, BMI1, BMI2",
        features: "+avx,+bmi1,+bmi2",
    },
];

/// The compiler that cargo uses.
pub struct Rustc {
    path: PathBuf,
    version: String,
}

impl Rustc {
    /// Asks it for its version.
    pub fn find() -> Result<Rustc, BuildError> {
        let path = PathBuf::from(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let output = Command::new(&path)
            .arg("-vV")
            .output()
            .map_err(|e| BuildError::io(&path, e))?;
        Ok(Rustc {
            path,
            version: String::from_utf8_lossy(&output.stdout).into_owned(),
        })
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// Compiles the bodies to an object file.
    pub fn compile(
        &self,
        table: &Table,
        source: &Path,
        wrappers: &Path,
        out: &Path,
    ) -> Result<PathBuf, BuildError> {
        let object = out.join(format!("bodies-{}.o", table.name.to_lowercase()));
        let mut command = Command::new(&self.path);
        command
            // The bodies use tail calls and a calling convention that are not stable; nothing else in Serigraph does.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("SERIGRAPH_WRAPPERS", wrappers)
            .args([
                "--edition=2024",
                "--crate-type=lib",
                "--crate-name=bodies",
                "--emit=obj",
            ])
            .args(["--target=x86_64-unknown-linux-gnu", "--cap-lints=allow"])
            .args(["-Copt-level=3", "-Cpanic=abort", "-Ccodegen-units=1"])
            // Addresses of holes become absolute 32-bit immediates.
            .args(["-Crelocation-model=static", "-Ccode-model=small"])
            // The stack below rsp belongs to nobody else, but a stencil must not use it at all.
            .arg("-Cno-redzone=yes")
            // A stencil cannot bring a table with it.
            .arg("-Cjump-tables=no")
            // Two stencils with the same code stay two.
            .arg("-Zmerge-functions=disabled");
        if !table.features.is_empty() {
            command.arg(format!("-Ctarget-feature={}", table.features));
        }
        command.arg("-o").arg(&object).arg(source);
        // Cargo's flags are for code that is linked.
        command
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("RUSTFLAGS");
        let output = command
            .output()
            .map_err(|e| BuildError::io(&self.path, e))?;
        if output.status.success() {
            Ok(object)
        } else {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(self.explain(table, BuildError::new(text)))
        }
    }

    /// Says which toolchain is wanted, beside what went wrong.
    pub fn explain(&self, table: &Table, error: BuildError) -> BuildError {
        let found = self.version.lines().next().unwrap_or("unknown");
        error.with_note(&format!(
            "The {} stencils could not be made from the uop bodies (crates/uops/bodies). They are written for rustc {WANTED}; \
             this is {found}. With rustup, rust-toolchain.toml chooses the right one.",
            table.title
        ))
    }
}
