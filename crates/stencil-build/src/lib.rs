//! Build time only: turns the uop bodies into stencils.
//!
//! ```text
//! table + bodies --wrappers, compile--> object file --object--> functions with relocations
//!   --code--> basic blocks --place--> hot and cold code --registers--> register holes, proved for every placement
//!   --gates--> constraints for the register allocator --write, listing--> stencils.rs, stencils.lst
//! ```
//!
//! Each uop is compiled once for each table, with its operands in fixed registers (`signature.rs`). Where the numbers of these
//! registers stand in the instructions is found by decoding; then the numbers of every other placement are patched in and the
//! result is decoded again: each instruction must be the same but for the registers. Whatever does not fit the rules is an error
//! of the build that names the stencil and the instruction.

mod code;
mod compile;
mod error;
mod gates;
mod holes;
mod listing;
mod object_file;
mod place;
mod registers;
mod signature;
mod wrappers;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use error::BuildError;

/// A stencil as it comes out of the pipeline.
struct Finished {
    signature: signature::Signature,
    placed: place::Placed,
    facts: gates::Facts,
}

/// The body of the build script of `serigraph-stencil`: writes `stencils.rs` and `stencils.lst` to `OUT_DIR`.
pub fn build() -> Result<(), BuildError> {
    let bodies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../uops/bodies");
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../uops/src/layout.rs");
    println!("cargo::rerun-if-changed={}", bodies.display());
    println!("cargo::rerun-if-changed={}", layout.display());
    println!("cargo::rerun-if-env-changed=RUSTC");
    let out = PathBuf::from(
        std::env::var_os("OUT_DIR").ok_or_else(|| BuildError::new("OUT_DIR is not set"))?,
    );
    let rustc = compile::Rustc::find()?;

    let signatures = signature::all();
    let wrappers = wrappers::generate(&signatures);
    let digest = digest(&bodies, &layout, &wrappers, rustc.version())?;
    let first_line = format!("// input digest {digest:016x}");
    let target = out.join("stencils.rs");
    if std::fs::read_to_string(&target).is_ok_and(|old| old.lines().next() == Some(&first_line)) {
        return Ok(());
    }

    let wrappers_path = out.join("wrappers.rs");
    std::fs::write(&wrappers_path, wrappers).map_err(|e| BuildError::io(&wrappers_path, e))?;
    let results = std::thread::scope(|scope| {
        let jobs = compile::TABLES.map(|table| {
            let (rustc, signatures, bodies, wrappers, out) =
                (&rustc, &signatures, &bodies, &wrappers_path, &out);
            scope.spawn(move || -> Result<Vec<Finished>, BuildError> {
                let object = rustc.compile(table, &bodies.join("lib.rs"), wrappers, out)?;
                finish_all(&object, signatures).map_err(|e| rustc.explain(table, e))
            })
        });
        jobs.map(|job| {
            job.join()
                .unwrap_or_else(|_| Err(BuildError::new("the stencil build panicked")))
        })
    });
    let mut tables = Vec::new();
    for (table, result) in compile::TABLES.iter().zip(results) {
        tables.push((table, result?));
    }
    let (code, listing) = (write::tables(&tables)?, listing::tables(&tables));
    let listing_path = out.join("stencils.lst");
    std::fs::write(&listing_path, format!("{first_line}\n{listing}"))
        .map_err(|e| BuildError::io(&listing_path, e))?;
    std::fs::write(&target, format!("{first_line}\n{code}"))
        .map_err(|e| BuildError::io(&target, e))?;
    Ok(())
}

/// Makes the stencils of one object file. All that is wrong is reported at once.
fn finish_all(
    object: &Path,
    signatures: &[signature::Signature],
) -> Result<Vec<Finished>, BuildError> {
    let functions = object_file::read(object)?;
    let mut finished = Vec::new();
    let mut errors = Vec::new();
    for signature in signatures {
        let result = functions
            .iter()
            .find(|function| function.name == signature.name)
            .ok_or_else(|| BuildError::new("it is not in the object file"))
            .and_then(|function| finish(function, signature));
        match result {
            Ok(stencil) => finished.push(stencil),
            Err(error) => errors.push(error.within(&signature.name)),
        }
    }
    BuildError::join(errors).map_or(Ok(finished), Err)
}

fn finish(
    function: &object_file::Function,
    signature: &signature::Signature,
) -> Result<Finished, BuildError> {
    let graph = code::Graph::decode(function)?;
    let facts = gates::check(&graph, signature)?;
    let placed = place::place(&graph, signature)?;
    registers::prove(&placed, signature)?;
    gates::check_holes(&placed, signature)?;
    Ok(Finished {
        signature: signature.clone(),
        placed,
        facts,
    })
}

/// A digest of everything the stencils are made from (FNV-1a; it only has to notice changes).
fn digest(bodies: &Path, layout: &Path, wrappers: &str, version: &str) -> Result<u64, BuildError> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(bodies)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(|e| BuildError::io(bodies, e))?;
    files.push(layout.to_path_buf());
    files.push(
        std::env::current_exe().map_err(|e| BuildError::io(Path::new("the build script"), e))?,
    );
    files.sort();
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            digest = (digest ^ byte as u64).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for file in files {
        add(&std::fs::read(&file).map_err(|e| BuildError::io(&file, e))?);
    }
    add(wrappers.as_bytes());
    add(version.as_bytes());
    Ok(digest)
}
