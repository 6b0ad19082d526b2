//! Charts as SVG.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::results::Row;
use super::statistics::Estimate;

const FASTER: RGBColor = RGBColor(0x2c, 0x7f, 0xb8);
const SLOWER: RGBColor = RGBColor(0xd9, 0x5f, 0x0e);
const NEITHER: RGBColor = RGBColor(0x96, 0x96, 0x96);
const FONT: &str = "sans-serif";

/// A line of the chart of ratios.
pub struct Bar {
    /// What it is.
    pub label: String,
    /// Times as fast.
    pub ratio: Estimate,
}

/// A named curve: its points.
pub type Curve = (String, Vec<(f64, f64)>);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Ratios with their intervals, in the order given, on a logarithmic axis.
pub fn ratios(file: &Path, title: &str, bars: &[Bar]) -> Result<(), String> {
    const ROW: u32 = 18;
    let height = 90 + ROW * bars.len() as u32;
    let canvas = SVGBackend::new(file, (900, height)).into_drawing_area();
    let ends = |bar: &Bar| {
        bar.ratio
            .interval
            .unwrap_or((bar.ratio.value, bar.ratio.value))
    };
    let values = bars.iter().flat_map(|bar| [ends(bar).0, ends(bar).1]);
    let (low, high) = range(values, 0.5, 2.0);
    let count = bars.len() as f64;
    let draw = || -> Result<(), DrawingAreaErrorKind<_>> {
        canvas.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&canvas)
            .caption(title, (FONT, 16))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(230)
            .build_cartesian_2d((low..high).log_scale(), 0.0..count)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_label_formatter(&|x| format!("{x:.2}"))
            .draw()?;
        chart.draw_series([PathElement::new(vec![(1.0, 0.0), (1.0, count)], BLACK)])?;
        for (at, bar) in bars.iter().enumerate() {
            let y = count - at as f64 - 0.5;
            let ratio = bar.ratio;
            let colour = match () {
                () if !ratio.differs_from(1.0) => NEITHER,
                () if ratio.value > 1.0 => FASTER,
                () => SLOWER,
            };
            chart.draw_series([
                PathElement::new(
                    vec![(1.0, y), (ratio.value, y)],
                    colour.mix(0.4).stroke_width(5),
                ),
                PathElement::new(
                    vec![(ends(bar).0, y), (ends(bar).1, y)],
                    colour.stroke_width(2),
                ),
            ])?;
            chart.draw_series([Circle::new((ratio.value, y), 3, colour.filled())])?;
            let (_, middle) = chart.backend_coord(&(1.0, y));
            let style = (FONT, 12).into_text_style(&canvas);
            canvas.draw_text(
                &format!("{}  {:.2}", bar.label, ratio.value),
                &style,
                (12, middle - 6),
            )?;
        }
        canvas.present()
    };
    draw().map_err(|error| format!("{}: {error}", file.display()))
}

/// Small charts of the time of each call, without and with Serigraph.
pub fn warm_up(file: &Path, title: &str, rows: &[&Row]) -> Result<(), String> {
    const COLUMNS: usize = 4;
    let lines = rows.len().div_ceil(COLUMNS);
    let canvas = SVGBackend::new(file, (1000, 40 + 130 * lines as u32)).into_drawing_area();
    let draw = || -> Result<(), DrawingAreaErrorKind<_>> {
        canvas.fill(&WHITE)?;
        let cells = canvas
            .titled(title, (FONT, 16))?
            .split_evenly((lines, COLUMNS));
        for (cell, row) in cells.iter().zip(rows) {
            small(cell, row)?;
        }
        canvas.present()
    };
    draw().map_err(|error| format!("{}: {error}", file.display()))
}

fn small<'a>(
    cell: &Canvas<'a>,
    row: &Row,
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
    let (off, on) = &row.warm_up;
    let calls = off.len().max(on.len()) as f64;
    let (low, high) = range(off.iter().chain(on).copied(), 1e-3, 1e-3);
    let mut chart = ChartBuilder::on(cell)
        .caption(&row.name, (FONT, 12))
        .margin(4)
        .x_label_area_size(16)
        .y_label_area_size(46)
        .build_cartesian_2d(1.0..calls.max(2.0), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(4)
        .y_labels(4)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| super::time(*y))
        .label_style((FONT, 9))
        .draw()?;
    for (times, colour) in [(off, NEITHER), (on, FASTER)] {
        let points = times
            .iter()
            .enumerate()
            .map(|(at, time)| (at as f64 + 1.0, time.max(low)));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Curves on logarithmic axes.
pub fn curves(file: &Path, title: &str, x: &str, y: &str, curves: &[Curve]) -> Result<(), String> {
    let canvas = SVGBackend::new(file, (800, 400)).into_drawing_area();
    let points = || curves.iter().flat_map(|(_, points)| points);
    let (left, right) = range(points().map(|point| point.0), 1.0, 1.0);
    let (low, high) = range(points().map(|point| point.1), 1.0, 1.0);
    let draw = || -> Result<(), DrawingAreaErrorKind<_>> {
        canvas.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&canvas)
            .caption(title, (FONT, 16))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d((left..right).log_scale(), (low..high).log_scale())?;
        chart.configure_mesh().x_desc(x).y_desc(y).draw()?;
        for (at, (name, points)) in curves.iter().enumerate() {
            let colour = Palette99::pick(at).to_rgba();
            chart
                .draw_series(LineSeries::new(
                    points.iter().copied(),
                    colour.stroke_width(2),
                ))?
                .label(name.as_str())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 15, y)], colour));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .border_style(BLACK)
            .background_style(WHITE)
            .draw()?;
        canvas.present()
    };
    draw().map_err(|error| format!("{}: {error}", file.display()))
}

/// A range that holds positive values and both bounds, with some room.
fn range(values: impl Iterator<Item = f64>, low: f64, high: f64) -> (f64, f64) {
    let mut all = values
        .filter(|value| value.is_finite() && *value > 0.0)
        .peekable();
    if all.peek().is_none() {
        return (low * 0.9, high * 1.1);
    }
    let (least, most) = all.fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    // Bounds that are the same only stand in where there are no values.
    match low < high {
        true => (least.min(low) * 0.95, most.max(high) * 1.05),
        false => (least * 0.8, most * 1.25),
    }
}
