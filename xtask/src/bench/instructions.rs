//! What compiling a fixed set of loops costs in instructions, counted by `valgrind --tool=callgrind`: the same on every run and on
//! every machine that is equally busy or not, so that a change shows.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::interpreters::{Interpreter, Mode};
use crate::process;
use crate::scratch::Scratch;

/// Time the run may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Hot early, so that the loops need not turn long under valgrind.
const THRESHOLD: u32 = 64;

/// The stages, with the functions whose instructions, and those of all they call, are theirs. Those further in are parts of the stage
/// above.
const STAGES: &[(&str, &[&str])] = &[
    ("record", &["serigraph_engine::recording::record"]),
    ("  decode", &["serigraph_cpython::code::CodeRef::validate"]),
    ("  evaluate", &["serigraph_trace::eval::step"]),
    ("all after it", &["serigraph_engine::compile::compile"]),
    (
        "  optimise",
        &[
            "serigraph_trace::opt::optimise_loop",
            "serigraph_trace::opt::optimise_linear",
        ],
    ),
    (
        "    forward, peel",
        &[
            "serigraph_trace::opt::peel::run",
            "serigraph_trace::opt::forward::Forward::linear",
        ],
    ),
    ("    refcount", &["serigraph_trace::opt::refcount::run"]),
    ("    sink", &["serigraph_trace::opt::sink::run"]),
    ("    reuse", &["serigraph_trace::opt::reuse::run"]),
    ("    lower", &["serigraph_trace::opt::lower::run"]),
    ("    dead", &["serigraph_trace::opt::dead::run"]),
    ("  link", &["serigraph_trace::link::link"]),
    (
        "  plan exits",
        &["serigraph_trace::exit::plan::plan_exits_named"],
    ),
    (
        "  allocate",
        &["serigraph_trace::regalloc::alloc::Allocator::run"],
    ),
    ("  emit", &["serigraph_emit::emit::Emitter::emit"]),
];

/// Counts with one interpreter, and prints a line for each stage. Nothing without valgrind.
pub fn measure(interpreter: &Interpreter) -> Result<Value, String> {
    if !has_valgrind() {
        println!("valgrind is not installed: no instructions counted");
        return Ok(Value::Null);
    }
    let scratch = Scratch::new("instructions").map_err(|error| error.to_string())?;
    let (counts, stats) = (
        scratch.path().join("callgrind.out"),
        scratch.path().join("stats.json"),
    );
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bench/fixed_loops.py");
    let plain = interpreter.command(Mode::On(Some(THRESHOLD)));
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--trace-children=yes"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(plain.get_program())
        .args(plain.get_args())
        .arg(program);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("SERIGRAPH_STATS", format!("json:{}", stats.display()));
    let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
    if !outcome.succeeded() {
        return Err(format!(
            "valgrind: {}\n{}",
            outcome.ending(),
            outcome.stderr
        ));
    }
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| error.to_string());
    let stats: Value = serde_json::from_str(&read(&stats)?).map_err(|error| error.to_string())?;
    let uops = stats["recorded_uops"].as_f64().unwrap_or(0.0);
    let counts = read(&counts)?;
    let inclusive = inclusive_costs(&counts);
    println!(
        "instructions for each of the {uops:.0} uops recorded of a fixed set of loops ({} root traces, {} side traces)",
        stats["root_traces"], stats["side_traces"]
    );
    let mut result = serde_json::Map::new();
    for (stage, functions) in STAGES {
        let cost: u64 = functions
            .iter()
            .filter_map(|function| inclusive.get(*function))
            .sum();
        println!("{stage:<20} {:>7.0}", cost as f64 / uops);
        result.insert(stage.trim().into(), json!(cost));
    }
    result.insert("uops".into(), json!(uops));
    Ok(Value::Object(result))
}

fn has_valgrind() -> bool {
    let status = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The instructions of each function and of all it calls, from a file of callgrind's: the costs of all calls of it. A name is spelt
/// out where it comes first, as `(number) name`; a call is a `cfn=` line, a `calls=` line, and a line with its cost.
fn inclusive_costs(text: &str) -> HashMap<&str, u64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut costs: HashMap<&str, u64> = HashMap::new();
    let (mut called, mut is_cost) = ("", false);
    for line in text.lines() {
        if is_cost {
            is_cost = false;
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok());
            *costs.entry(called).or_default() += cost.unwrap_or(0);
        } else if line.starts_with("calls=") {
            is_cost = true;
        } else if let Some((key, name)) = line.split_once('=')
            && let "fn" | "cfn" = key
        {
            let (number, spelt) = name.split_once(' ').unwrap_or((name, ""));
            if !spelt.is_empty() {
                names.insert(number, spelt);
            }
            if key == "cfn" {
                called = names.get(number).copied().unwrap_or("");
            }
        }
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::inclusive_costs;

    #[test]
    fn calls_are_summed_by_name() {
        let text = "fn=(1) main\n10 5\ncfn=(2) work\ncalls=2 7\n11 300\n12 4\ncfn=(2)\ncalls=1 7\n13 50\n\
                    fn=(2)\n7 350\ncfn=(3) part\ncalls=9 1\n8 90\n";
        let costs = inclusive_costs(text);
        assert_eq!((costs["work"], costs["part"]), (350, 90));
        assert_eq!(costs.get("main"), None);
    }
}
