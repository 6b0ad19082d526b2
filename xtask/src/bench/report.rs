//! `docs/performance.md`: what the latest results say, a full run going before one that is not.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::results::{Results, groups};
use super::statistics::{Estimate, median};
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
        "The programs of `benchmarks/kernels`, processor time of the usual call.",
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
        "scaling",
        "What compiling costs",
        "As a program has more loops, and as a loop gets longer.",
    ),
];

/// Writes the page and its charts.
pub fn write(root: &Path) -> Result<(), String> {
    let results = root.join("benchmarks/results");
    let charts = root.join("docs/performance");
    let mut text = String::from(
        "# Performance\n\n\
         Written by `cargo xtask bench report` from result files; not by hand. Both sides are the same interpreter, without and \
         with Serigraph, run in turns. *Ratio* is how many times as fast it is with Serigraph: the median over the turns, with a \
         95 % interval by the bootstrap. A ratio whose interval holds 1 is called no difference.\n",
    );
    let mut found = 0;
    for (name, title, what) in PARTS {
        let Some(part) = Results::latest(&results, name) else {
            continue;
        };
        found += 1;
        let _ = write!(
            text,
            "\n## {title}\n\n{what}\n\n{}",
            table::conditions(&part)
        );
        for (version, raw) in &part.results {
            let _ = write!(text, "\n### {title}, CPython {version}\n\n");
            text += &section(&part, version, raw, name, &charts)?;
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
fn section(
    part: &Results,
    version: &str,
    raw: &Value,
    name: &str,
    charts: &Path,
) -> Result<String, String> {
    fs::create_dir_all(charts).map_err(|error| format!("{}: {error}", charts.display()))?;
    let rows = part.rows.get(version).map_or(&[][..], Vec::as_slice);
    let file = |what: &str| charts.join(format!("{name}-{version}-{what}.svg"));
    let title = format!("{name}, CPython {version}");
    let mut written = table::draw(rows, &title, file)?;
    written.extend(table::draw_curves(raw, &title, file)?);
    let mut text = String::new();
    if !rows.is_empty() {
        text += &summary(part, version);
        text += &table::markdown(rows);
    }
    match name {
        "cold" => text += &cold(raw),
        "peers" => text += &peers(raw),
        _ => {}
    }
    for chart in written {
        let chart = chart.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(text, "\n![{chart}](performance/{chart})\n");
    }
    Ok(text)
}

/// The mean, the best, the worst.
fn summary(part: &Results, version: &str) -> String {
    let mut ratios: Vec<(f64, &str)> = part
        .rows_of(version)
        .filter(|row| row.measured())
        .map(|row| (row.ratio().median, row.name.as_str()))
        .collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = part.rows.get(version).map_or(&[][..], Vec::as_slice);
    let means = groups(rows);
    match (ratios.first(), ratios.last(), means.last()) {
        (Some(worst), Some(best), Some((_, count, mean))) => format!(
            "{count} benchmarks, geometric mean {mean:.3}; best {} ({:.2} x), worst {} ({:.2} x).\n\n",
            best.1, best.0, worst.1, worst.0
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
        let more: Vec<f64> = off
            .iter()
            .zip(&on)
            .map(|(off, on)| (on - off) * 1e3)
            .collect();
        let more = Estimate::of(&more);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {:+.2} ms | {:+.2} to {:+.2} ms |",
            time(median(&off)),
            time(median(&on)),
            more.median,
            more.low,
            more.high
        );
    }
    text
}

fn peers(raw: &Value) -> String {
    let mut names: Vec<&String> = Vec::new();
    for kernel in raw.as_object().into_iter().flatten() {
        names.extend(
            kernel
                .1
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name),
        );
    }
    names.retain(|name| *name != "interpreter");
    names.sort();
    names.dedup();
    let mut text = String::from("| kernel | interpreter |");
    names.iter().for_each(|name| text += &format!(" {name} |"));
    text += &format!("\n|---|---|{}\n", "---|".repeat(names.len()));
    for (kernel, times) in raw.as_object().into_iter().flatten() {
        let off = times["interpreter"].as_f64().unwrap_or(f64::NAN);
        let _ = write!(text, "| {kernel} | {} |", time(off));
        for name in &names {
            let said = match &times[name.as_str()] {
                Value::Number(time) => format!("{:.2} x", off / time.as_f64().unwrap_or(f64::NAN)),
                Value::String(why) => why.clone(),
                Value::Object(_) => "does not run".into(),
                _ => "-".into(),
            };
            let _ = write!(text, " {said} |");
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::results::Row;
    use crate::scratch::Scratch;

    #[test]
    fn the_page_is_made_of_the_latest_results() {
        let scratch = Scratch::new("report").expect("a folder");
        let root = scratch.path();
        assert!(write(root).is_err(), "a page without results");
        let folder = root.join("benchmarks/results");
        fs::create_dir_all(root.join("docs")).expect("a folder");
        let mut kernels = Results::new(root, "kernels", true);
        let row = Row {
            name: "sieve".into(),
            group: "kernels".into(),
            off: vec![2.0; 5],
            on: vec![0.5; 5],
            ..Row::default()
        };
        kernels.rows.insert("3.13.0".into(), vec![row]);
        kernels.results.insert("3.13.0".into(), Value::Null);
        kernels.write(&folder).expect("written");
        let mut cold = Results::new(root, "cold", true);
        let samples = json!({"pass": {"off": [0.010, 0.011, 0.010], "on": [0.013, 0.013, 0.013]}});
        cold.results.insert("3.13.0".into(), samples);
        cold.write(&folder).expect("written");
        write(root).expect("a page");
        let page = fs::read_to_string(root.join("docs/performance.md")).expect("a page");
        assert!(
            page.contains("| sieve | 2.00 s | 500.00 ms | 4.00 x |"),
            "{page}"
        );
        assert!(
            page.contains("| pass | 10.00 ms | 13.00 ms | +3.00 ms |"),
            "{page}"
        );
        assert!(
            root.join("docs/performance/kernels-3.13.0-ratios.svg")
                .exists()
        );
    }
}
