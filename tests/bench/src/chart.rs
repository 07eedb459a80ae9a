//! The ratios as bars, with a mark at what was wanted, as SVG.

use std::fmt::Write as _;

use crate::report::{Figure, Report, Wanted};

const WIDTH: f64 = 950.0;
const LABELS: f64 = 490.0;
const ROW: f64 = 26.0;
/// Where the bars end; higher ratios are cut off, their number stays.
const MOST: f64 = 3.0;

/// One bar for each figure that has a ceiling.
pub(crate) fn draw(report: &Report) -> String {
    let rows: Vec<(&Figure, f64)> = report
        .figures
        .iter()
        .filter_map(|figure| figure.ratio().map(|ratio| (figure, ratio.median)))
        .filter(|(_, ratio)| ratio.is_finite())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a few dozen rows")]
    let height = (rows.len() as f64 + 1.5) * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let mut top = ROW / 2.0;
    let x = |ratio: f64| LABELS + ratio.min(MOST) / MOST * (WIDTH - LABELS - 60.0);
    for (figure, ratio) in rows {
        let colour = match figure.is_reached() {
            Some(false) => "#c9732f",
            _ => "#3a6ea5",
        };
        let beside = figure.beside.as_ref().map_or("", |beside| beside.name.as_str());
        let (text, middle) = (escaped(&format!("{} / {beside}", figure.name)), top + ROW * 0.62);
        let (left, width) = (LABELS, x(ratio) - LABELS);
        // Writing to a String does not fail.
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{text}</text>", LABELS - 8.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{:.0}\" width=\"{width:.0}\" height=\"{:.0}\" fill=\"{colour}\"/>",
            top + 4.0,
            ROW - 8.0
        );
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{middle:.0}\">{ratio:.2}</text>", x(ratio) + 6.0);
        if let Some(Wanted::Ratio(wanted)) = figure.wanted {
            let at = x(wanted);
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.0} {:.0}V{:.0}\" stroke=\"#000000\" stroke-width=\"2\"/>",
                top,
                top + ROW
            );
        }
        top += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
