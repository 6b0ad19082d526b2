//! Switching on and off, and what the Python side may ask.

use serigraph_cpython::datastack;
use serigraph_cpython::threads::Thread;
use serigraph_uops::Reason;

use crate::dump::Stage;
use crate::executor::Kind;
use crate::options::Options;
use crate::sleepers::Sleepers;
use crate::stats::Stats;
use crate::{attach, crash, log, metadata, native, reserve, state};

/// One trace, for reports.
#[derive(Clone, Debug)]
pub struct TraceReport {
    /// Its number.
    pub id: u32,
    /// `root` or `side`.
    pub kind: &'static str,
    /// The source file.
    pub file: String,
    /// The line where it begins.
    pub line: i32,
    /// Uops after optimising.
    pub uops: u64,
    /// Bytes of machine code.
    pub bytes: u64,
    /// Bytes that are kept beside it.
    pub metadata_bytes: u64,
    /// Entries from the interpreter.
    pub entered: u64,
    /// Exits to the interpreter.
    pub left: u64,
}

/// Everything `stats()` tells.
#[derive(Clone, Debug)]
pub struct Report {
    /// The counters.
    pub stats: Stats,
    /// Bytes that are kept beside machine code; see [`crate::metadata`].
    pub metadata_bytes: u64,
    /// The traces in use.
    pub traces: Vec<TraceReport>,
}

/// Whether this interpreter is supported, and a text that says why.
pub fn supported() -> Result<String, String> {
    let runtime = serigraph_cpython::start().map_err(|e| e.to_string())?;
    Ok(runtime.version.to_string())
}

/// Switches Serigraph on, or changes its settings.
pub fn enable(options: Options) -> Result<(), String> {
    supported()?;
    let thread = Thread::current().ok_or("this thread has no interpreter")?;
    if !thread.is_main_interpreter() {
        return Err("Serigraph works in the main interpreter only".to_owned());
    }
    disable();
    let mut options = options;
    log::start(options.log, options.log_file.take());
    state::with(|s| {
        s.generation += 1;
        if s.traces.is_empty() && s.options.limits.code_bytes != options.limits.code_bytes {
            s.memory = None;
        }
        s.options = options;
    });
    reserve::lay_by();
    datastack::lay_by();
    attach::attach()?;
    crash::install();
    state::with(|s| s.on = true);
    Ok(())
}

/// Switches Serigraph off: no trace is entered any more, no event and no watcher remains.
pub fn disable() {
    if !is_enabled() {
        return;
    }
    let freed = state::with(|s| {
        s.on = false;
        s.generation += 1;
        let ids: Vec<u32> = s.traces.iter().map(|t| t.compiled.id).collect();
        for id in ids {
            s.retire(id, Reason::Disabled);
        }
        s.codes.clear();
        s.sleepers = Sleepers::new();
        s.collect()
    });
    drop(freed);
    native::free_dead_ints();
    attach::detach();
    crash::remove();
}

/// Whether Serigraph is on.
pub fn is_enabled() -> bool {
    state::with(|s| s.on)
}

/// What was done so far.
pub fn report() -> Report {
    state::with(|s| Report {
        stats: s.stats.clone(),
        metadata_bytes: metadata::of_all(s) as u64,
        traces: s
            .traces
            .iter()
            .map(|trace| {
                let compiled = &trace.compiled;
                TraceReport {
                    id: compiled.id,
                    kind: match compiled.kind {
                        Kind::Root => "root",
                        Kind::Side { .. } => "side",
                    },
                    file: compiled.place.0.clone(),
                    line: compiled.place.1,
                    uops: compiled
                        .trace
                        .insts
                        .iter()
                        .filter(|i| !i.sunk && i.uop.info().has_stencil)
                        .count() as u64,
                    bytes: compiled.code_size() as u64,
                    metadata_bytes: metadata::of_trace(trace) as u64,
                    entered: trace.entered,
                    left: trace.left,
                }
            })
            .collect(),
    })
}

/// One stage of a trace as text.
pub fn dump(id: u32, stage: &str) -> Result<String, String> {
    let stage = Stage::from_name(stage).ok_or_else(|| format!("there is no stage {stage:?}"))?;
    state::with(|s| {
        let trace = s
            .traces
            .get(id)
            .ok_or_else(|| format!("there is no trace {id}"))?;
        let compiled = &trace.compiled;
        if let Some((_, text)) = compiled.texts.iter().find(|(s, _)| *s == stage) {
            return Ok(text.clone());
        }
        match stage {
            Stage::Opt => Ok(compiled.trace.to_string()),
            _ => Err(format!(
                "the {} stage is kept only when the option dump asks for it",
                stage.name()
            )),
        }
    })
}
