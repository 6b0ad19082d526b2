//! What Serigraph did in a run, as its statistics have it, for people: the time of each stage of compiling, traces, entries, exits,
//! aborts, and memory.

use std::fmt::Write;

use serde_json::Value;

use super::results::Row;

/// The stages of compiling, as the statistics name them.
pub const STAGES: [&str; 5] = [
    "record_ms",
    "optimise_ms",
    "allocate_ms",
    "emit_ms",
    "install_ms",
];

/// A counter of the statistics.
fn count(stats: &Value, name: &str) -> f64 {
    stats[name].as_f64().unwrap_or(0.0)
}

/// Traces compiled: roots and sides.
pub fn traces(stats: &Value) -> f64 {
    count(stats, "root_traces") + count(stats, "side_traces")
}

/// Uops recorded.
pub fn uops(stats: &Value) -> f64 {
    count(stats, "recorded_uops")
}

/// Microseconds of all stages.
pub fn microseconds(stats: &Value) -> f64 {
    STAGES.iter().map(|stage| count(stats, stage)).sum::<f64>() * 1e3
}

/// Microseconds of each stage a trace.
pub fn microseconds_a_trace(stats: &Value) -> [f64; 5] {
    STAGES.map(|stage| count(stats, stage) * 1e3 / traces(stats))
}

/// Nanoseconds of each stage a recorded uop.
pub fn nanoseconds_a_uop(stats: &Value) -> [f64; 5] {
    STAGES.map(|stage| count(stats, stage) * 1e6 / uops(stats))
}

/// The reasons that were counted most often.
fn most(stats: &Value, name: &str) -> Option<String> {
    const REASONS: usize = 2;
    let counts = stats[name].as_object()?;
    let mut counts: Vec<(&String, u64)> = counts
        .iter()
        .filter_map(|(reason, count)| Some((reason, count.as_u64()?)))
        .collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> = counts
        .iter()
        .take(REASONS)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The counts of a run that explain most.
pub fn remarks(stats: &Value) -> String {
    let rest: String = ["exits", "aborts", "not_entered"]
        .iter()
        .filter_map(|name| {
            Some(format!(
                "; {}: {}",
                name.replace('_', " "),
                most(stats, name)?
            ))
        })
        .collect();
    format!(
        "{} + {} traces, {} entries{rest}",
        count(stats, "root_traces"),
        count(stats, "side_traces"),
        count(stats, "entries")
    )
}

/// What was compiled in each benchmark where anything was; empty where nothing was anywhere.
pub fn table(rows: &[&Row]) -> String {
    let compiling = rows.iter().filter(|row| traces(&row.stats) > 0.0);
    let mut text = String::new();
    for row in compiling {
        let stats = &row.stats;
        let each = |figures: [f64; 5]| {
            let words = figures.map(|figure| format!("{figure:.0}"));
            words.join(" / ")
        };
        let kib = |name: &str| match stats[name].as_f64() {
            Some(bytes) => format!("{:.1}", bytes / 1024.0),
            None => "-".into(),
        };
        let _ = writeln!(
            text,
            "| {} | {} + {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            count(stats, "root_traces"),
            count(stats, "side_traces"),
            uops(stats),
            each(microseconds_a_trace(stats)),
            each(nanoseconds_a_uop(stats)),
            kib("code_bytes"),
            kib("metadata_bytes"),
            count(stats, "entries"),
            most(stats, "exits").unwrap_or_default(),
            most(stats, "aborts").unwrap_or_default(),
        );
    }
    if !text.is_empty() {
        text.insert_str(
            0,
            "\nWhat was compiled, in the last turn; time is that of the processor for recording / optimising / allocating registers \
             / emitting / installing; exits and aborts are those counted most:\n\n\
             | benchmark | traces, root + side | uops recorded | us a trace | ns a uop | code, KiB | metadata, KiB | entries | exits \
             | aborts |\n|---|---|---|---|---|---|---|---|---|---|\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn costs_are_shared_out_over_traces_and_uops() {
        let stats = json!({
            "root_traces": 3, "side_traces": 1, "recorded_uops": 200, "entries": 7, "code_bytes": 2048,
            "metadata_bytes": 1024, "record_ms": 0.4, "optimise_ms": 0.2, "allocate_ms": 0.1, "emit_ms": 0.02,
            "install_ms": 0.04, "exits": {"loop-ended": 5, "guard-failed": 2}, "aborts": {"too-long": 1},
        });
        assert_eq!((traces(&stats), uops(&stats)), (4.0, 200.0));
        assert!((microseconds(&stats) - 760.0).abs() < 1e-9);
        let row = Row {
            name: "a".into(),
            stats,
            ..Row::default()
        };
        let idle = Row::default();
        assert_eq!(table(&[&idle]), "");
        let text = table(&[&row, &idle]);
        assert!(
            text.ends_with(
                "| a | 3 + 1 | 200 | 100 / 50 / 25 / 5 / 10 | 2000 / 1000 / 500 / 100 / 200 | 2.0 | 1.0 | 7 \
                 | loop-ended 5, guard-failed 2 | too-long 1 |\n"
            ),
            "{text}"
        );
    }
}
