//! Results for people: Markdown tables, and where the charts beside them go.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::charts::{self, Bar, Curve};
use super::results::{Results, Row, Verdict, groups};
use super::statistics::{Estimate, median};
use super::time;

/// Below this a benchmark is listed as slower.
const SLOWER: f64 = 0.98;

/// Writes the table and the charts of a result beside its file; returns what was written.
pub fn write(results: &Results, file: &Path) -> Result<Vec<PathBuf>, String> {
    let mut written = Vec::new();
    let mut text = format!("# {}\n\n{}", results.benchmark, conditions(results));
    for (version, raw) in &results.results {
        let rows = results.rows.get(version).map_or(&[][..], Vec::as_slice);
        if !rows.is_empty() {
            let _ = write!(text, "\n## CPython {version}\n\n{}", markdown(rows));
        }
        let name = |what: &str| file.with_extension(format!("{version}-{what}.svg"));
        let title = format!("{}, CPython {version}", results.benchmark);
        written.extend(draw(rows, &title, name)?);
        written.extend(draw_curves(raw, &title, name)?);
    }
    if !written.is_empty() {
        let table = file.with_extension("md");
        fs::write(&table, text).map_err(|error| format!("{}: {error}", table.display()))?;
        written.insert(0, table);
    }
    Ok(written)
}

/// Draws the charts of rows; `name` says which file each goes to.
pub fn draw(
    rows: &[Row],
    title: &str,
    name: impl Fn(&str) -> PathBuf,
) -> Result<Vec<PathBuf>, String> {
    let mut written = Vec::new();
    let bars: Vec<Bar> = sorted(rows)
        .iter()
        .map(|row| Bar {
            label: row.name.clone(),
            ratio: row.ratio(),
        })
        .collect();
    if bars.is_empty() {
        return Ok(written);
    }
    let file = name("ratios");
    charts::ratios(
        &file,
        &format!("{title}: times as fast as the interpreter"),
        &bars,
    )?;
    written.push(file);
    let means: Vec<Bar> = groups(rows)
        .into_iter()
        .map(|(group, count, mean)| Bar {
            label: format!("{group} ({count})"),
            ratio: Estimate {
                median: mean,
                low: mean,
                high: mean,
            },
        })
        .collect();
    let file = name("groups");
    charts::ratios(&file, &format!("{title}: geometric means"), &means)?;
    written.push(file);
    let curves: Vec<&Row> = sorted(rows)
        .into_iter()
        .filter(|row| row.warm_up.1.len() > 1)
        .collect();
    if !curves.is_empty() {
        let file = name("warm-up");
        charts::warm_up(
            &file,
            &format!("{title}: seconds of each call, without (grey) and with (blue)"),
            &curves,
        )?;
        written.push(file);
    }
    Ok(written)
}

/// Draws the curves that a benchmark has left under `curves`.
pub fn draw_curves(
    raw: &Value,
    title: &str,
    name: impl Fn(&str) -> PathBuf,
) -> Result<Vec<PathBuf>, String> {
    let mut written = Vec::new();
    for chart in raw["curves"].as_array().into_iter().flatten() {
        let word = |key: &str| chart[key].as_str().unwrap_or_default();
        let curves: Vec<Curve> = serde_json::from_value(chart["curves"].clone())
            .map_err(|error| format!("curves of {title}: {error}"))?;
        let file = name(word("name"));
        charts::curves(
            &file,
            &format!("{}: {title}", word("title")),
            word("x"),
            word("y"),
            &curves,
        )?;
        written.push(file);
    }
    Ok(written)
}

/// The rows with figures, the fastest first.
fn sorted(rows: &[Row]) -> Vec<&Row> {
    let mut rows: Vec<&Row> = rows.iter().filter(|row| row.measured()).collect();
    rows.sort_by(|a, b| b.ratio().median.total_cmp(&a.ratio().median));
    rows
}

/// Under which conditions a result was taken.
pub fn conditions(results: &Results) -> String {
    let mut text = format!(
        "Commit {}, {}, {}, load {}.\n",
        &results.commit[..results.commit.len().min(12)],
        results.cpu,
        results.kernel,
        results.load
    );
    if !results.full {
        text += "Not a full run: fewer turns, or not everything.\n";
    }
    for (version, build) in &results.interpreters {
        let _ = writeln!(text, "CPython {version}: {}.", build.kind());
    }
    text
}

/// Means of the groups, and a line for each benchmark.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| group | benchmarks | geometric mean |\n|---|---|---|\n");
    for (group, count, mean) in groups(rows) {
        let _ = writeln!(text, "| {group} | {count} | {mean:.3} |");
    }
    text += "\n| benchmark | without | with | ratio | 95 % interval | first call | calls until steady | more memory | results |\n\
             |---|---|---|---|---|---|---|---|---|\n";
    for row in sorted(rows) {
        let ratio = row.ratio();
        let first = row
            .first
            .map_or("-".into(), |(off, on)| format!("{:.2}", off / on));
        let (steady_off, steady_on) = row.steady_after();
        let steady = match row.warm_up.1.is_empty() {
            true => "-".into(),
            false => format!("{steady_off}, {steady_on}"),
        };
        let memory = row
            .peak_mib
            .map_or("-".into(), |(off, on)| format!("{:+.1} MiB", on - off));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} to {:.2} | {first} | {steady} | {memory} | {} |",
            row.name,
            time(median(&row.off)),
            time(median(&row.on)),
            row.ratio_text(),
            ratio.low,
            ratio.high,
            match row.verdict {
                Verdict::None => "none to compare",
                Verdict::Same => "same",
                Verdict::Unstable => "another one each time",
                Verdict::Different => "DIFFERENT",
            }
        );
    }
    let slower: Vec<&Row> = sorted(rows)
        .into_iter()
        .rev()
        .filter(|row| row.ratio().median < SLOWER && !row.ratio().includes(1.0))
        .collect();
    if !slower.is_empty() {
        text += "\nSlower, and what Serigraph says of it:\n\n";
        for row in slower {
            let _ = writeln!(
                text,
                "- {} ({:.2} x): {}",
                row.name,
                row.ratio().median,
                remarks(row)
            );
        }
    }
    let failures: Vec<&Row> = rows.iter().filter(|row| row.failure.is_some()).collect();
    if !failures.is_empty() {
        text += "\nNot measured:\n\n";
        for row in failures {
            let _ = writeln!(
                text,
                "- {}: {}",
                row.name,
                row.failure.as_deref().unwrap_or_default()
            );
        }
    }
    text
}

/// The counts of a run that explain most.
fn remarks(row: &Row) -> String {
    let number = |name: &str| row.stats[name].as_u64().unwrap_or(0);
    let most = |name: &str| {
        let counts = row.stats[name].as_object()?;
        let mut counts: Vec<(&String, u64)> = counts
            .iter()
            .filter_map(|(reason, count)| Some((reason, count.as_u64()?)))
            .collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let words: Vec<String> = counts
            .iter()
            .take(2)
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        (!words.is_empty()).then(|| format!("; {}: {}", name.replace('_', " "), words.join(", ")))
    };
    let rest: String = ["exits", "aborts", "not_entered"]
        .iter()
        .filter_map(|name| most(name))
        .collect();
    format!(
        "{} + {} traces, {} entries{rest}",
        number("root_traces"),
        number("side_traces"),
        number("entries")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn rows() -> Vec<Row> {
        let row = |name: &str, on: f64| Row {
            name: name.into(),
            group: "g".into(),
            off: vec![1.0; 5],
            on: vec![on; 5],
            warm_up: (vec![1.0; 5], vec![2.0, on, on, on, on]),
            ..Row::default()
        };
        vec![
            row("slow", 2.0),
            row("fast", 0.1),
            Row::failed("not", "g", "no such package"),
        ]
    }

    #[test]
    fn tables_are_sorted_and_name_what_is_slower_or_missing() {
        let text = markdown(&rows());
        let at = |word: &str| text.find(word).expect(word);
        assert!(at("| fast |") < at("| slow |"), "{text}");
        assert!(text.contains("| g | 2 | 2.236 |"), "{text}");
        assert!(text.contains("- slow (0.50 x): 0 + 0 traces"), "{text}");
        assert!(text.contains("- not: no such package"), "{text}");
    }

    #[test]
    fn charts_hold_every_benchmark() {
        let scratch = Scratch::new("charts").expect("a folder");
        let name = |what: &str| scratch.path().join(what).with_extension("svg");
        let written = draw(&rows(), "a title", name).expect("drawn");
        assert_eq!(written.len(), 3);
        for file in &written {
            let text = fs::read_to_string(file).expect("a file");
            assert!(
                text.starts_with("<svg") && text.contains("a title"),
                "{}",
                file.display()
            );
        }
        let ratios = fs::read_to_string(&written[0]).expect("a file");
        assert!(ratios.contains("fast") && ratios.contains("slow"));
    }
}
