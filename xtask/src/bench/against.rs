//! What got slower from one result to another.

use std::fmt::Write;

use super::results::{Results, Row};

/// A ratio may be this much lower without being called slower, even when the intervals are narrow:
/// where code and data come to lie differs from build to build.
const SAME: f64 = 0.03;

/// How a benchmark changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Slower,
    Faster,
    Neither,
    /// One of them has no interval.
    Unknown,
}

/// Compares the ratios against the interpreter, which a machine that has become slower or busier
/// changes less than times. It is a change when the intervals have nothing in common.
fn change(older: &Row, newer: &Row) -> Change {
    let (before, after) = (older.ratio(), newer.ratio());
    let (Some(ends_before), Some(ends_after)) = (before.interval, after.interval) else {
        return Change::Unknown;
    };
    if ends_after.1 < ends_before.0 && after.value < before.value * (1.0 - SAME) {
        Change::Slower
    } else if ends_after.0 > ends_before.1 && after.value > before.value * (1.0 + SAME) {
        Change::Faster
    } else {
        Change::Neither
    }
}

/// The changes as text: what got slower, what does not run any more, what got faster.
pub fn compare(older: &Results, newer: &Results) -> String {
    let (mut slower, mut lost, mut faster) = (Vec::new(), Vec::new(), Vec::new());
    let (mut same, mut unknown, mut compared) = (0, 0, 0);
    for (version, rows) in &newer.rows {
        for row in rows {
            let Some(before) = older
                .rows_of(version)
                .find(|before| before.name == row.name && before.measured())
            else {
                continue;
            };
            compared += 1;
            if !row.measured() {
                let cause = row.failure.as_deref().unwrap_or("not measured");
                lost.push(format!("{}, {version}: {cause}", row.name));
                continue;
            }
            let line = format!(
                "{}, {version}: {} before, {} now",
                row.name,
                before.ratio_text(),
                row.ratio_text()
            );
            match change(before, row) {
                Change::Slower => slower.push(line),
                Change::Faster => faster.push(line),
                Change::Neither => same += 1,
                Change::Unknown => unknown += 1,
            }
        }
    }
    if compared == 0 {
        return "nothing to compare: the older result has none of these benchmarks with these versions\n".into();
    }
    let mut text = String::new();
    for (what, lines) in [
        ("slower", &slower),
        ("not measured any more", &lost),
        ("faster", &faster),
    ] {
        let count = lines.len();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{what}: {}",
            if count == 0 {
                "none".into()
            } else {
                count.to_string()
            }
        );
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(text, "no change beyond the noise: {same}");
    if unknown != 0 {
        let _ = writeln!(text, "too few turns to tell: {unknown}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Options;

    fn results(rows: Vec<Row>) -> Results {
        let root = std::path::Path::new(".");
        let mut results = Results::new(root, "kernels", &Options::default());
        results.rows.insert("3.13.0".into(), rows);
        results
    }

    fn row(name: &str, ratios: [f64; 5]) -> Row {
        Row {
            name: name.into(),
            off: ratios.to_vec(),
            on: vec![1.0; 5],
            ..Row::default()
        }
    }

    #[test]
    fn slower_is_what_is_beyond_the_noise() {
        let older = results(vec![
            row("down", [2.0, 2.1, 2.0, 1.9, 2.0]),
            row("noisy", [2.0, 2.1, 2.0, 1.2, 2.0]),
            row("up", [1.0; 5]),
            row("gone", [1.0; 5]),
        ]);
        let newer = results(vec![
            row("down", [1.5, 1.6, 1.5, 1.4, 1.5]),
            row("noisy", [1.5, 1.6, 1.5, 1.4, 1.5]),
            row("up", [3.0; 5]),
            Row::failed("gone", "", "ended by signal 11"),
        ]);
        assert_eq!(
            compare(&older, &newer),
            "slower: 1\n  down, 3.13.0: 2.00 x before, 1.50 x now\n\
             not measured any more: 1\n  gone, 3.13.0: ended by signal 11\n\
             faster: 1\n  up, 3.13.0: no difference (1.00) before, 3.00 x now\n\
             no change beyond the noise: 1\n"
        );
    }

    #[test]
    fn without_turns_or_rows_nothing_is_told() {
        let once = |ratio: f64| Row {
            name: "once".into(),
            off: vec![ratio],
            on: vec![1.0],
            ..Row::default()
        };
        let text = compare(&results(vec![once(4.0)]), &results(vec![once(1.0)]));
        assert!(
            text.starts_with("slower: none") && text.ends_with("too few turns to tell: 1\n"),
            "{text}"
        );
        let text = compare(&results(vec![]), &results(vec![once(1.0)]));
        assert!(text.starts_with("nothing to compare"), "{text}");
    }
}
