//! Results for people: Markdown tables, and where the charts beside them go.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::charts::{self, Bar, Curve};
use super::results::{Results, Row, Verdict, groups};
use super::statistics::median;
use super::{compiled, time};

/// Below this a benchmark is listed as slower.
const SLOWER: f64 = 0.98;

/// Writes the table and the charts of a result beside its file; returns what was written.
pub fn write(results: &Results, file: &Path) -> Result<Vec<PathBuf>, String> {
    let mut written = Vec::new();
    let mut text = format!("# {}\n", results.benchmark);
    for (version, raw) in &results.results {
        let rows = results.rows.get(version).map_or(&[][..], Vec::as_slice);
        if !rows.is_empty() {
            let _ = write!(
                text,
                "\n## CPython {version}\n\n{}\n{}",
                conditions(results, version),
                markdown(rows)
            );
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
        .map(|(group, count, ratio)| Bar {
            label: format!("{group} ({count})"),
            ratio,
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
    rows.sort_by(|a, b| b.ratio().value.total_cmp(&a.ratio().value));
    rows
}

/// Under which conditions a version of the interpreter was measured.
pub fn conditions(results: &Results, version: &str) -> String {
    // The averages, without the numbers of processes that follow them.
    let load = |text: &str| {
        let averages: Vec<&str> = text.split(' ').take(3).collect();
        averages.join(" ")
    };
    let mut text = format!(
        "Commit {}, {}, {}, {}; load {} at the beginning, {} at the end.\n",
        &results.commit[..results.commit.len().min(12)],
        results.cpu,
        results.system,
        results.kernel,
        load(&results.load),
        load(&results.load_at_end)
    );
    if !results.full {
        let said = match results.asked.said() {
            words if words.is_empty() => "fewer turns, or not everything".into(),
            words => words.join("; "),
        };
        let _ = writeln!(text, "Not a full run: {said}.");
    }
    if let Some(build) = results.interpreters.get(version) {
        let _ = writeln!(text, "CPython {version}: {}.", build.kind());
    }
    let rows = results.rows_of(version).filter(|row| row.measured());
    let (off, on): (Vec<f64>, Vec<f64>) = rows.map(Row::noise).unzip();
    if !off.is_empty() {
        let _ = writeln!(
            text,
            "Noise: turns are usually {} from their median without Serigraph, {} with it (median over the benchmarks).",
            percent(median(&off)),
            percent(median(&on))
        );
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Means of the groups, and a line for each benchmark.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| group | benchmarks | geometric mean | 95 % interval |\n|---|---|---|---|\n",
    );
    for (group, count, mean) in groups(rows) {
        let _ = writeln!(
            text,
            "| {group} | {count} | {:.3} | {} |",
            mean.value,
            mean.interval_text()
        );
    }
    let has_native = rows.iter().any(|row| !row.native.is_empty());
    let (native, line) = match has_native {
        true => (" times native |", "---|"),
        false => ("", ""),
    };
    let _ = writeln!(
        text,
        "\n| benchmark | turns | without | with | ratio | 95 % interval | noise |{native} first call | calls until steady \
         | more memory | results |\n|---|---|---|---|---|---|---|{line}---|---|---|---|"
    );
    for row in sorted(rows) {
        let first = row.first.map_or("-".into(), |(off, on)| {
            format!("{}, {} ({:.2})", time(off), time(on), off / on)
        });
        let (noise_off, noise_on) = row.noise();
        let native = match (has_native, row.native.is_empty()) {
            (false, _) => String::new(),
            (true, true) => " - |".into(),
            (true, false) => format!(" {:.2} |", median(&row.on) / median(&row.native)),
        };
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
            "| {} | {} | {} | {} | {} | {} | {}, {} |{native} {first} | {steady} | {memory} | {} |",
            row.name,
            row.off.len(),
            time(median(&row.off)),
            time(median(&row.on)),
            row.ratio_text(),
            row.ratio().interval_text(),
            percent(noise_off),
            percent(noise_on),
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
        .filter(|row| row.ratio().value < SLOWER && row.ratio().differs_from(1.0))
        .collect();
    if !slower.is_empty() {
        text += "\nSlower, and what Serigraph says of it:\n\n";
        for row in slower {
            let _ = writeln!(
                text,
                "- {} ({:.2} x): {}",
                row.name,
                row.ratio().value,
                compiled::remarks(&row.stats)
            );
        }
    }
    text += &compiled::table(&sorted(rows));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Options;
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
        assert!(text.contains("| g | 2 | 2.236 | 2.24 to 2.24 |"), "{text}");
        assert!(text.contains("- slow (0.50 x): 0 + 0 traces"), "{text}");
        assert!(text.contains("- not: no such package"), "{text}");
    }

    #[test]
    fn one_turn_is_neither_an_interval_nor_slower() {
        let once = Row {
            name: "once".into(),
            off: vec![1.0],
            on: vec![2.0],
            ..Row::default()
        };
        let text = markdown(&[once]);
        assert!(
            text.contains("| once | 1 | 1.00 s | 2.00 s | too few turns (0.50) | none |"),
            "{text}"
        );
        assert!(!text.contains("Slower"), "{text}");
    }

    #[test]
    fn conditions_name_what_is_missing() {
        let options = Options {
            only: vec!["gcd".into()],
            rounds: Some(2),
            ..Options::default()
        };
        let results = Results::new(std::path::Path::new("."), "kernels", &options);
        let text = conditions(&results, "3.13.0");
        assert!(
            text.contains("Not a full run: partial: only gcd; 2 turns (--rounds)."),
            "{text}"
        );
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
