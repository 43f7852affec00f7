//! `cargo xtask chart`: the chart of speed in the README, from `benches/RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;

/// The chart.
pub(crate) const FILE: &str = "docs/images/speed.svg";

/// A bar: its name and its time.
struct Bar {
    name: &'static str,
    milliseconds: f64,
}

/// Writes the chart.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    std::fs::write(root.join(FILE), chart(root)?).map_err(|error| format!("{FILE}: {error}"))
}

fn chart(root: &Path) -> Result<String, String> {
    let results =
        std::fs::read_to_string(root.join("benches/RESULTS.md")).map_err(|error| error.to_string())?;
    let cell = |row: &str, column: usize| {
        let line = results.lines().find(|line| line.starts_with('|') && line.contains(row));
        let cell = line.and_then(|line| line.split('|').nth(column));
        cell.and_then(milliseconds).ok_or_else(|| format!("benches/RESULTS.md has no time of {row:?}"))
    };
    let (sqlx, refinery) = ("1,000 tenants, against sqlx", "1,000 tenants, against refinery");
    Ok(draw(&[
        Bar { name: "Tenure", milliseconds: cell(sqlx, 3)? },
        Bar { name: "refinery in a loop", milliseconds: cell(refinery, 4)? },
        Bar { name: "sqlx in a loop", milliseconds: cell(sqlx, 4)? },
    ]))
}

/// The first time in a cell such as `sqlx in a loop: 1.55 s (1.54–1.78)`.
fn milliseconds(cell: &str) -> Option<f64> {
    let text = cell.rsplit(": ").next()?.trim();
    let mut words = text.split_whitespace();
    let number: f64 = words.next()?.parse().ok()?;
    match words.next()? {
        "ms" => Some(number),
        "s" => Some(number * 1e3),
        _ => None,
    }
}

fn draw(bars: &[Bar]) -> String {
    const LEFT: f64 = 170.0;
    const WIDTH: f64 = 420.0;
    const STEP: f64 = 40.0;
    let longest = bars.iter().map(|bar| bar.milliseconds).fold(1.0, f64::max);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 680 170\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"14\">\n\
         <title>Time for one additive step on 1,000 tenants, less is better</title>\n\
         <style>text { fill: #1f2328 } .bar { fill: #8c959f } .own { fill: #0969da }\n\
         @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .bar { fill: #6e7681 } .own { fill: #2f81f7 } }</style>\n\
         <text x=\"0\" y=\"18\">One additive step on 1,000 tenants: seconds, less is better</text>\n",
    );
    let mut top = 40.0;
    for (number, bar) in bars.iter().enumerate() {
        let width = (WIDTH * bar.milliseconds / longest).max(2.0);
        let class = if number == 0 { "own" } else { "bar" };
        let (middle, end) = (top + 19.0, LEFT + width + 8.0);
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{middle}\">{}</text>\n\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{width:.1}\" height=\"28\" rx=\"3\"/>\n\
             <text x=\"{end:.1}\" y=\"{middle}\">{:.2} s</text>\n",
            bar.name,
            bar.milliseconds / 1e3
        );
        top += STEP;
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_shows_the_results() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let kept = std::fs::read_to_string(root.join(FILE)).unwrap();
        assert!(
            kept == chart(&root).unwrap(),
            "{FILE} is not of benches/RESULTS.md: run `cargo xtask chart`"
        );
    }

    #[test]
    fn times_are_read() {
        assert_eq!(milliseconds(" sqlx in a loop: 1.55 s (1.54–1.78) "), Some(1550.0));
        assert_eq!(milliseconds(" 167 ms (165–195) "), Some(167.0));
        assert_eq!(milliseconds("  "), None);
    }
}
