//! Charts as the coordinates that templates draw with. Knows no HTML.

use serde::Serialize;

/// The width and the height of a chart of lines, in its own units.
pub const WIDTH: f64 = 640.0;
/// See [`WIDTH`].
pub const HEIGHT: f64 = 180.0;

/// A line of a chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Its points as `x,y` pairs for an SVG polyline.
    pub points: String,
    /// The largest value on the horizontal axis.
    pub most_x: f64,
    /// The largest value on the vertical axis.
    pub most_y: f64,
}

impl Curve {
    /// The line through `points`, from the origin to the upper right corner; nothing for fewer than
    /// two points, or where all lie on one axis.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let most = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(0.0, f64::max);
        let (most_x, most_y) = (most(|point| point.0), most(|point| point.1));
        if points.len() < 2 || most_x <= 0.0 || most_y <= 0.0 {
            return None;
        }
        let place = |(x, y): &(f64, f64)| {
            let (x, y) = (x / most_x * WIDTH, HEIGHT - y / most_y * HEIGHT);
            format!("{x:.1},{y:.1}")
        };
        Some(Self {
            points: points.iter().map(place).collect::<Vec<_>>().join(" "),
            most_x,
            most_y,
        })
    }
}

/// A bar with its label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// What it is for.
    pub label: String,
    /// How long it is, in percent of the longest.
    pub percent: f64,
    /// Its value, in words.
    pub value: String,
}

/// Bars for values that are not negative, in their order.
pub fn bars(values: impl IntoIterator<Item = (String, f64, String)>) -> Vec<Bar> {
    let values: Vec<(String, f64, String)> = values.into_iter().collect();
    let most = values
        .iter()
        .map(|(_, value, _)| *value)
        .fold(0.0, f64::max);
    let bar = |(label, value, words): (String, f64, String)| Bar {
        label,
        percent: if most > 0.0 {
            value / most * 100.0
        } else {
            0.0
        },
        value: words,
    };
    values.into_iter().map(bar).collect()
}
