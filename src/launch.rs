//! Turns this process into the interpreter.
//!
//! What the start-up step inside (`python/serigraph/_boot/sitecustomize.py`) needs to know travels in
//! one variable, [`BOOT`], as fields `key=value` with the separator [`SEPARATOR`]; the folder of that
//! step goes first on PYTHONPATH. The step takes both away again.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use crate::Failure;
use crate::args::Run;
use crate::find::Interpreter;

/// The variable that carries the fields.
const BOOT: &str = "SERIGRAPH_BOOT";

/// Its value when an interpreter refused itself and started this program again.
const REFUSED: &str = "refused";

/// Stands between the fields: "unit separator".
const SEPARATOR: &str = "\x1f";

/// File name of the engine, beside this program in `deps`, where cargo puts it.
const ENGINE: &str = "libserigraph_engine.so";

/// True when this program was started by an interpreter that found itself unsupported.
pub fn was_refused() -> bool {
    env::var_os(BOOT).is_some_and(|value| value == REFUSED)
}

/// Executes the interpreter in place of this process. Returns only on failure.
pub fn launch(interpreter: &Interpreter, run: &Run) -> Result<(), Failure> {
    let program = env::current_exe()
        .and_then(|path| path.canonicalize())
        .map_err(|error| Failure(format!("cannot find its own program file: {error}")))?;
    let boot = boot_folder()?;
    let user_path = user_python_path(&boot);

    let mut fields: Vec<(&str, OsString)> = vec![
        ("pid", process::id().to_string().into()),
        ("engine", engine(&program).into()),
        ("program", program.into()),
    ];
    if let Some(path) = &user_path {
        fields.push(("pythonpath", path.clone()));
    }
    if let Some(python) = &run.python {
        fields.push(("python", python.clone()));
    }
    if let Some(threshold) = &run.threshold {
        fields.push(("threshold", threshold.clone()));
    }
    for (name, set) in [
        ("off", run.off),
        ("stats", run.stats),
        ("unsupported", !interpreter.supported),
    ] {
        if set {
            fields.push((name, "1".into()));
        }
    }

    let mut python_path = boot.into_os_string();
    if let Some(path) = user_path.filter(|path| !path.is_empty()) {
        python_path.push(":");
        python_path.push(path);
    }
    // SAFETY: this process has no second thread that could read the environment meanwhile. (Set here
    // and not through `Command`, which would sort the variables, and programs list them.)
    unsafe {
        env::set_var("PYTHONPATH", python_path);
        env::set_var(BOOT, join(fields));
    }
    let error = Command::new(&interpreter.path)
        .args(&run.interpreter_args)
        .exec();
    Err(Failure(format!(
        "cannot run {}: {error}",
        interpreter.path.display()
    )))
}

fn join(fields: Vec<(&str, OsString)>) -> OsString {
    let fields: Vec<OsString> = fields
        .into_iter()
        .map(|(key, value)| {
            let mut field = OsString::from(key);
            field.push("=");
            field.push(value);
            field
        })
        .collect();
    fields.join(OsStr::new(SEPARATOR))
}

/// The user's PYTHONPATH: without the start-up step's folder, which is there when this program is
/// started by a program that it runs itself with `SERIGRAPH=1`.
fn user_python_path(boot: &Path) -> Option<OsString> {
    let path = env::var_os("PYTHONPATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    if !folders.iter().any(|folder| folder == boot) {
        return Some(path);
    }
    let others = folders.iter().filter(|folder| *folder != boot);
    env::join_paths(others).ok().filter(|path| !path.is_empty())
}

/// The folder whose `sitecustomize` switches Serigraph on.
fn boot_folder() -> Result<PathBuf, Failure> {
    let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/serigraph/_boot");
    if boot.join("sitecustomize.py").is_file() {
        return Ok(boot);
    }
    Err(Failure(format!(
        "its Python part is missing: there is no {}",
        boot.display()
    )))
}

fn engine(program: &Path) -> PathBuf {
    program
        .parent()
        .unwrap_or(Path::new("/"))
        .join("deps")
        .join(ENGINE)
}
