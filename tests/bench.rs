//! A short sample of the benchmark harness, which needs no packages: a kernel measured, its files read
//! back and compared, and a script of pyperformance's kind under the watch.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use xtask::bench;
use xtask::bench::results::Verdict;
use xtask::interpreters::{self, Interpreter, Mode};
use xtask::process;
use xtask::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(180);

/// What the scripts use of pyperf, for a machine that has none.
const PYPERF: &str = "
class Runner:
    args = None
    def parse_args(self):
        self.args = ()
";

/// A script as pyperformance has them.
const SCRIPT: &str = "
import pyperf

def collatz(limit):
    longest = 0
    for start in range(1, limit):
        n, steps = start, 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        longest = max(longest, steps)
    return {'longest': longest, 'limit': {limit}}

runner = pyperf.Runner()
runner.bench_func('collatz', collatz, 3000)
";

fn interpreters() -> Vec<Interpreter> {
    let serigraph = Path::new(env!("CARGO_BIN_EXE_serigraph"));
    interpreters::supported(serigraph, None).expect("a supported interpreter")
}

#[test]
fn a_kernel_is_measured_written_and_compared() {
    for interpreter in interpreters() {
        let scratch = Scratch::new("bench").expect("a folder");
        let (results, files) =
            bench::one_kernel("gcd", &interpreter, scratch.path()).expect("a measurement");
        let row = results
            .rows_of(interpreter.version())
            .next()
            .expect("a row");
        assert!(row.measured() && row.verdict == Verdict::Same, "{row:?}");
        assert_eq!(row.off.len(), 2);
        assert!(
            row.stats["root_traces"].as_u64() > Some(0),
            "nothing compiled: {}",
            row.stats
        );
        let file = files.last().expect("a result file");
        let told = bench::compare(file, file).expect("a comparison");
        assert!(told.starts_with("slower: none"), "{told}");
        let table = fs::read_to_string(&files[0]).expect("a table");
        assert!(
            table.contains("| gcd |") && table.contains("optimised"),
            "{table}"
        );
    }
}

#[test]
fn a_script_under_the_watch_computes_the_same_with_serigraph() {
    let watch =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("xtask/src/bench/pyperformance/observe.py");
    for interpreter in interpreters() {
        let scratch = Scratch::new("watch").expect("a folder");
        let write = |name: &str, text: &str| -> PathBuf {
            let file = scratch.path().join(name);
            fs::write(&file, text).expect("written");
            file
        };
        write("pyperf.py", PYPERF);
        let script = write("script.py", SCRIPT);
        let report = |mode: Mode| -> Value {
            let report = scratch.path().join("report.json");
            let mut command = interpreter.command(mode);
            command.env("PYTHONPATH", scratch.path()).arg(&watch);
            command
                .arg(scratch.path().join("plan.json"))
                .arg(&report)
                .arg("0.1")
                .arg(&script);
            let outcome = process::run(&mut command, "", LIMIT).expect("python runs");
            assert!(outcome.succeeded(), "{}", outcome.stderr);
            serde_json::from_slice(&fs::read(&report).expect("a report")).expect("JSON")
        };
        let (off, on) = (report(Mode::Off), report(Mode::On(None)));
        let of = |report: &Value| report["benchmarks"]["collatz"].clone();
        assert_eq!(of(&off)["results"], of(&on)["results"]);
        assert_eq!(
            of(&off)["times"].as_array().map(Vec::len),
            of(&on)["times"].as_array().map(Vec::len),
            "both sides do the same number of calls"
        );
        assert!(
            on["stats"]["root_traces"].as_u64() > Some(0),
            "{}",
            on["stats"]
        );
    }
}
