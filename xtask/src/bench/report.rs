//! `docs/performance.md`: what the latest results of each interpreter version say, a full run going before one of everything with
//! fewer turns, and that before one of a part.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::cold::{interval, milliseconds};
use super::results::{Results, Row, groups};
use super::statistics::{Estimate, LEAST_SAMPLES, geometric_mean, median};
use super::{table, time};

/// The results that are told of: name, title, and what they are.
const PARTS: &[(&str, &str, &str)] = &[
    (
        "pyperformance",
        "pyperformance",
        "The benchmarks of [pyperformance](https://pyperformance.readthedocs.io), through pyperf's runner, by the clock; \
         Serigraph installed with pip and switched on with `SERIGRAPH=1`. *First call* compares the processor time of the \
         first call, compiling included. *Calls until steady* is without and with.",
    ),
    (
        "apps",
        "Applications",
        "The programs of `benchmarks/apps`, with packages from PyPI, processor time: *long* is the usual call in a process \
         that goes on, *cold* a whole process that does the work once, imports included.",
    ),
    (
        "kernels",
        "Kernels",
        "The programs of `benchmarks/kernels`, processor time of the usual call. *Times native*: how much longer a call takes with \
         Serigraph than the same program written in Rust.",
    ),
    (
        "peers",
        "Peers",
        "The kernels as they are with other ways to make Python fast. Times as fast as the interpreter. Numba and Cython are \
         meant for code that is written for them.",
    ),
    (
        "cold",
        "Programs that end before anything is hot",
        "Processor time of whole processes, and how much more it is with Serigraph.",
    ),
    (
        "compile",
        "What compiling costs",
        "Processor time of compiling the kernels, by stage, and the instructions of each stage for a fixed set of loops, counted by \
         callgrind.",
    ),
    (
        "scaling",
        "Many loops and long ones",
        "What compiling costs as a program has more loops, and as a loop gets longer.",
    ),
    (
        "memory",
        "Memory",
        "Peak of resident memory of the kernels; *prefork* is a server with eight workers, all together.",
    ),
];

/// Writes the page and its charts.
pub fn write(root: &Path) -> Result<(), String> {
    let results = root.join("benchmarks/results");
    let charts = root.join("docs/performance");
    let mut text = format!(
        "# Performance\n\n\
         Written by `cargo xtask bench report` from result files; not by hand. Both sides are the same interpreter, without and \
         with Serigraph, run in turns. *Ratio* is how many times as fast it is with Serigraph: the median over the turns, with an \
         interval by the bootstrap. A ratio whose interval holds 1 is called no difference. With fewer than {LEAST_SAMPLES} turns \
         there is no interval; with few it is hardly more than the range of the turns. *Noise* is how far turns usually are from \
         their median, without and with. *Calls until steady* is without and with.\n"
    );
    let mut found = 0;
    for (name, title, what) in PARTS {
        let latest = Results::latest(&results, name);
        if latest.is_empty() {
            continue;
        }
        found += 1;
        let _ = write!(text, "\n## {title}\n\n{what}\n");
        for (version, part) in &latest {
            let conditions = table::conditions(part, version);
            let _ = write!(text, "\n### {title}, CPython {version}\n\n{conditions}\n");
            text += &section(part, version, name, &charts)?;
        }
    }
    if found == 0 {
        return Err(format!(
            "there are no results in {}; run `cargo xtask bench` first",
            results.display()
        ));
    }
    let page = root.join("docs/performance.md");
    fs::write(&page, text).map_err(|error| format!("{}: {error}", page.display()))?;
    println!("{}", page.display());
    Ok(())
}

/// What there is to say of one benchmark with one interpreter; its charts are written.
fn section(part: &Results, version: &str, name: &str, charts: &Path) -> Result<String, String> {
    let raw = &part.results[version];
    fs::create_dir_all(charts).map_err(|error| format!("{}: {error}", charts.display()))?;
    let rows = part.rows.get(version).map_or(&[][..], Vec::as_slice);
    let file = |what: &str| charts.join(format!("{name}-{version}-{what}.svg"));
    let title = format!("{name}, CPython {version}");
    let mut written = table::draw(rows, &title, file)?;
    written.extend(table::draw_curves(raw, &title, file)?);
    let mut text = String::new();
    if !rows.is_empty() {
        text += &summary(rows);
        text += &table::markdown(rows);
    }
    match name {
        "cold" => text += &cold(raw),
        "peers" => text += &peers(raw),
        "compile" => text += &compile(raw),
        "scaling" => text += &scaling(raw),
        "memory" => text += &memory(raw),
        _ => {}
    }
    for chart in written {
        let chart = chart.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(text, "\n![{chart}](performance/{chart})\n");
    }
    Ok(text)
}

/// The mean, the best, the worst.
fn summary(rows: &[Row]) -> String {
    let mut ratios: Vec<(f64, &str)> = rows
        .iter()
        .filter(|row| row.measured())
        .map(|row| (row.ratio().value, row.name.as_str()))
        .collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let means = groups(rows);
    match (ratios.first(), ratios.last(), means.last()) {
        (Some(worst), Some(best), Some((_, count, mean))) => format!(
            "{count} benchmarks, geometric mean {:.3} (95 % interval: {}); best {} ({:.2} x), worst {} ({:.2} x).\n\n",
            mean.value,
            mean.interval_text(),
            best.1,
            best.0,
            worst.1,
            worst.0
        ),
        _ => String::new(),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().map_or(Vec::new(), |values| {
        values.iter().filter_map(Value::as_f64).collect()
    })
}

fn cold(raw: &Value) -> String {
    let mut text = String::from(
        "| program | without | with | more | 95 % interval |\n|---|---|---|---|---|\n",
    );
    for (name, samples) in raw.as_object().into_iter().flatten() {
        let (off, on) = (numbers(&samples["off"]), numbers(&samples["on"]));
        if off.is_empty() || off.len() != on.len() {
            continue;
        }
        let more: Vec<f64> = off.iter().zip(&on).map(|(off, on)| on - off).collect();
        let more = Estimate::of(&more);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            time(median(&off)),
            time(median(&on)),
            milliseconds(more.value),
            interval(&more)
        );
    }
    text
}

fn peers(raw: &Value) -> String {
    let mut text = String::new();
    let mut names = vec!["serigraph"];
    for (name, version) in raw["peers"].as_object().into_iter().flatten() {
        names.push(name);
        let _ = writeln!(text, "- {name}: {}", version.as_str().unwrap_or_default());
    }
    text += "\n| kernel | interpreter |";
    names.iter().for_each(|name| text += &format!(" {name} |"));
    text += &format!("\n|---|---|{}\n", "---|".repeat(names.len()));
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for (kernel, times) in raw["kernels"].as_object().into_iter().flatten() {
        let off = times["interpreter"]["seconds"].as_f64().unwrap_or(f64::NAN);
        let _ = write!(text, "| {kernel} | {} |", time(off));
        for (name, ratios) in names.iter().zip(&mut ratios) {
            let one = &times[*name];
            let said = match one["seconds"].as_f64() {
                Some(time) => {
                    ratios.push(off / time);
                    format!("{:.2} x", off / time)
                }
                None => one["fault"].as_str().unwrap_or("-").into(),
            };
            let _ = write!(text, " {said} |");
        }
        text += "\n";
    }
    text += "| geometric mean of those that run | |";
    for ratios in &ratios {
        let mean = geometric_mean(ratios);
        let _ = write!(text, " {mean:.2} x ({}) |", ratios.len());
    }
    text + "\n"
}

/// Figures with a slash between them.
fn slashed(value: &Value, decimals: usize) -> String {
    let words: Vec<String> = numbers(value)
        .iter()
        .map(|figure| format!("{figure:.decimals$}"))
        .collect();
    words.join(" / ")
}

fn compile(raw: &Value) -> String {
    let mut text = String::from(
        "Times are those for recording / optimising / allocating registers / emitting / installing.\n\n\
         | kernel | traces | uops recorded | us a trace | ns a uop |\n|---|---|---|---|---|\n",
    );
    for (name, figures) in raw["kernels"].as_object().into_iter().flatten() {
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            figures["traces"],
            figures["uops"],
            slashed(&figures["us_a_trace"], 1),
            slashed(&figures["ns_a_uop"], 0)
        );
    }
    let counted = &raw["instructions"];
    let Some(uops) = counted["uops"].as_f64() else {
        return text + "\nNo instructions were counted: there was no valgrind.\n";
    };
    text += "\n| stage | instructions a recorded uop |\n|---|---|\n";
    for (stage, cost) in counted.as_object().into_iter().flatten() {
        if let Some(cost) = cost.as_f64().filter(|_| stage != "uops") {
            let _ = writeln!(text, "| {stage} | {:.0} |", cost / uops);
        }
    }
    text
}

fn scaling(raw: &Value) -> String {
    let mut text = String::from(
        "| | size | traces | uops recorded | us a trace | ns a uop | code bytes | metadata bytes | first call without | with |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for what in ["loops", "statements"] {
        for step in raw[what].as_array().into_iter().flatten() {
            let figure = |name: &str| step[name].as_f64().unwrap_or(f64::NAN);
            let _ = writeln!(
                text,
                "| {what} | {} | {} | {} | {:.1} | {:.0} | {} | {} | {} | {} |",
                step["size"],
                figure("traces"),
                figure("uops"),
                figure("compile_us") / figure("traces"),
                figure("compile_us") * 1e3 / figure("uops"),
                figure("code_bytes"),
                figure("metadata_bytes"),
                time(figure("first_off")),
                time(figure("first_on"))
            );
        }
    }
    text
}

fn memory(raw: &Value) -> String {
    let mut text = String::from("| program | without | with | more |\n|---|---|---|---|\n");
    for (name, peaks) in raw.as_object().into_iter().flatten() {
        let peak = |side: &str| median(&numbers(&peaks[side]));
        let (off, on) = (peak("off_mib"), peak("on_mib"));
        let _ = writeln!(
            text,
            "| {name} | {off:.1} MiB | {on:.1} MiB | {:+.1} MiB |",
            on - off
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::Options;
    use crate::scratch::Scratch;

    #[test]
    fn the_page_is_made_of_the_latest_results() {
        let scratch = Scratch::new("report").expect("a folder");
        let root = scratch.path();
        assert!(write(root).is_err(), "a page without results");
        let folder = root.join("benchmarks/results");
        fs::create_dir_all(root.join("docs")).expect("a folder");
        let mut kernels = Results::new(root, "kernels", &Options::default());
        let row = Row {
            name: "sieve".into(),
            group: "kernels".into(),
            off: vec![2.0; 5],
            on: vec![0.5; 5],
            native: vec![0.25; 5],
            ..Row::default()
        };
        kernels.rows.insert("3.13.0".into(), vec![row]);
        kernels.results.insert("3.13.0".into(), Value::Null);
        kernels.write(&folder).expect("written");
        // Later, of the other version, and a part only.
        let mut part = Results::new(
            root,
            "kernels",
            &Options {
                only: vec!["gcd".into()],
                ..Options::default()
            },
        );
        part.unix_time += 1;
        part.results.insert("3.12.1".into(), Value::Null);
        part.write(&folder).expect("written");
        let write_raw = |name: &str, raw: Value| {
            let mut results = Results::new(root, name, &Options::default());
            results.results.insert("3.13.0".into(), raw);
            results.write(&folder).expect("written");
        };
        write_raw(
            "cold",
            json!({"pass": {"off": [0.010, 0.011, 0.010], "on": [0.013, 0.013, 0.013]},
                   "once": {"off": [0.010], "on": [0.013]}}),
        );
        write_raw(
            "peers",
            json!({"peers": {"pypy": "3.9.16"}, "kernels": {"gcd": {
                "interpreter": {"seconds": 2.0}, "serigraph": {"seconds": 0.5}, "pypy": {"fault": "another result"}}}}),
        );
        write_raw(
            "compile",
            json!({"kernels": {"gcd": {"traces": 2.0, "uops": 10.0, "us_a_trace": [1.0, 2.0], "ns_a_uop": [200.0, 400.0]}},
                   "instructions": {"uops": 10.0, "record": 500}}),
        );
        write_raw(
            "scaling",
            json!({"loops": [{"size": 1, "traces": 1.0, "uops": 10.0, "compile_us": 5.0, "code_bytes": 64.0,
                "metadata_bytes": 512.0, "first_off": 1.0, "first_on": 0.5}]}),
        );
        write_raw(
            "memory",
            json!({"prefork": {"off_mib": [10.0], "on_mib": [12.5]}}),
        );
        write(root).expect("a page");
        let page = fs::read_to_string(root.join("docs/performance.md")).expect("a page");
        for line in [
            "| sieve | 5 | 2.00 s | 500.00 ms | 4.00 x | 4.00 to 4.00 | 0.0 %, 0.0 % | 2.00 |",
            "### Kernels, CPython 3.12.1\n",
            "Not a full run: partial: only gcd.",
            "| pass | 10.00 ms | 13.00 ms | +3.00 ms |",
            "| once | 10.00 ms | 13.00 ms | +3.00 ms | none |",
            "- pypy: 3.9.16\n",
            "| gcd | 2.00 s | 4.00 x | another result |",
            "| gcd | 2.0 | 10.0 | 1.0 / 2.0 | 200 / 400 |",
            "| record | 50 |",
            "| loops | 1 | 1 | 10 | 5.0 | 500 | 64 | 512 | 1.00 s | 500.00 ms |",
            "| prefork | 10.0 MiB | 12.5 MiB | +2.5 MiB |",
        ] {
            assert!(page.contains(line), "no {line:?} in\n{page}");
        }
        assert!(
            root.join("docs/performance/kernels-3.13.0-ratios.svg")
                .exists()
        );
    }
}
