//! Curves, drawn as SVG: what a table cannot show.

use std::{borrow::Cow, fs, ops::Range, path::Path};

use anyhow::Context as _;
use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    coord::combinators::IntoLogRange as _,
    drawing::IntoDrawingArea as _,
    element::{Circle, PathElement},
    series::LineSeries,
    style::{Color as _, IntoFont as _, RGBColor, ShapeStyle, WHITE},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// In pixels; as wide as a page of text.
const SIZE: (u32, u32) = (820, 480);
/// Told apart by colour-blind people as well (Okabe and Ito, "Color Universal
/// Design").
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
];

/// One line of a plot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub(crate) name: String,
    /// Drawn thin: it belongs to the curve before it, in whose colour it is.
    pub(crate) is_minor: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What is drawn into one file. Both axes are logarithmic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plot {
    /// The file's name without its ending.
    pub(crate) name: Cow<'static, str>,
    pub(crate) title: Cow<'static, str>,
    pub(crate) across: Cow<'static, str>,
    pub(crate) up: Cow<'static, str>,
    pub(crate) curves: Vec<Curve>,
}

impl Plot {
    pub(crate) fn json(&self) -> Value {
        let curves = self.curves.iter();
        json!({
            "name": self.name,
            "curves": curves
                .map(|curve| json!({ "name": curve.name, "points": curve.points }))
                .collect::<Value>(),
        })
    }

    /// Writes the plot into a folder.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let file = folder.join(format!("{}.svg", self.name));
        let svg = self.svg().with_context(|| format!("plot {}", self.name))?;
        fs::write(&file, svg).with_context(|| file.display().to_string())
    }

    fn svg(&self) -> anyhow::Result<String> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            area.fill(&WHITE)?;
            let points = || self.curves.iter().flat_map(|curve| &curve.points);
            let mut chart = ChartBuilder::on(&area)
                .caption(&*self.title, ("sans-serif", 18).into_font())
                .margin(14)
                .x_label_area_size(46)
                .y_label_area_size(64)
                .build_cartesian_2d(
                    around(points().map(|point| point.0)).log_scale(),
                    around(points().map(|point| point.1)).log_scale(),
                )?;
            chart
                .configure_mesh()
                .x_desc(&*self.across)
                .y_desc(&*self.up)
                .light_line_style(WHITE)
                .x_label_formatter(&|x| short(*x))
                .y_label_formatter(&|y| short(*y))
                .draw()?;
            let mut colours = COLOURS.iter().cycle();
            let mut colour = COLOURS[0];
            for curve in &self.curves {
                if !curve.is_minor {
                    colour = *colours.next().unwrap_or(&colour);
                }
                let style = ShapeStyle {
                    color: colour.to_rgba(),
                    filled: !curve.is_minor,
                    stroke_width: if curve.is_minor { 1 } else { 2 },
                };
                let line = LineSeries::new(curve.points.iter().copied(), style);
                chart
                    .draw_series(line)?
                    .label(&curve.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
                let dots = curve.points.iter().map(|at| Circle::new(*at, 3, style));
                chart.draw_series(dots)?;
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .border_style(COLOURS[5])
                .draw()?;
            area.present()?;
        }
        Ok(svg)
    }
}

/// A range that holds all of these with some room.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) = values
        .filter(|value| *value > 0.0)
        .fold((f64::MAX, f64::MIN), |(least, most), value| {
            (least.min(value), most.max(value))
        });
    if least > most {
        1.0..10.0
    } else {
        least / 1.3..most * 1.3
    }
}

/// `12000` as `12k`; what is below a thousand as it is.
fn short(value: f64) -> String {
    if value >= 1e6 {
        format!("{}M", value / 1e6)
    } else if value >= 1e3 {
        format!("{}k", value / 1e3)
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_drawn_and_named() {
        let curve = |name: &str| Curve {
            name: name.to_owned(),
            is_minor: false,
            points: vec![(100.0, 1.0), (1_000.0, 20.0)],
        };
        let plot = Plot {
            name: "test".into(),
            title: "Waiting".into(),
            across: "orders/s".into(),
            up: "ms".into(),
            curves: vec![curve("ours"), curve("theirs & others")],
        };
        let svg = plot.svg().unwrap();
        for text in ["Waiting", "ours", "theirs &amp; others", "polyline"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }

    #[test]
    fn axes_have_room_and_short_labels() {
        let range = around([10.0, 1_000.0].into_iter());
        assert!(range.start < 10.0 && range.end > 1_000.0);
        assert_eq!(short(12_000.0), "12k");
        assert_eq!(short(0.5), "0.5");
    }
}
