//! The charts of an analysis: panels with one line for each policy.

use super::axis::{Axis, level_label};
use super::frame::{Frame, HEIGHT};
use super::marks::Mark;
use super::xml::{Anchor, Drawing, HEADING, LABEL, TITLE, escaped, number};
use super::{INNER, LEGEND_LINE, MARGIN, SAMPLE};
use crate::analyses::{Chart, Findings, Line, Panel, Unit};

/// Padding inside a plot, so that marks at its edges are not cut off.
const INSET: f64 = 10.0;
/// Shade behind trained values.
const TRAINED: &str = "#eef4ee";

/// Draws the charts of a board below `top` and returns where they end.
pub(super) fn draw(drawing: &mut Drawing, title: &str, findings: &Findings, top: f64) -> f64 {
    let mut bottom = top + 16.0;
    drawing.text((MARGIN, bottom), Anchor::Start, TITLE, &TITLE.shortened(title, INNER));
    for line in findings.verdict.iter().flat_map(|line| LABEL.wrapped(line, INNER)) {
        bottom += 19.0;
        drawing.text((MARGIN, bottom), Anchor::Start, LABEL, &line);
    }
    for chart in &findings.charts {
        bottom = draw_chart(drawing, chart, bottom + 26.0);
    }
    bottom
}

/// Draws a chart and returns where it ends.
fn draw_chart(drawing: &mut Drawing, chart: &Chart, top: f64) -> f64 {
    drawing.text((MARGIN, top), Anchor::Start, HEADING, &HEADING.shortened(&chart.title, INNER));
    let marks = marks(chart);
    let bottom = legend(drawing, &marks, top + 8.0);
    let width = INNER / chart.panels.len().max(1) as f64;
    for (place, panel) in chart.panels.iter().enumerate() {
        let frame = Frame { left: MARGIN + width * place as f64, top: bottom, width };
        Plot { frame, chart, panel }.draw(drawing, &marks);
    }
    bottom + HEIGHT
}

/// The look of every policy of a chart, in the order of the first panel that has it.
fn marks(chart: &Chart) -> Vec<(String, Mark)> {
    let mut lines: Vec<&Line> = Vec::new();
    for line in chart.panels.iter().flat_map(|panel| &panel.lines) {
        if !lines.iter().any(|known| known.label == line.label) {
            lines.push(line);
        }
    }
    let all = lines.iter().filter(|line| line.fixed).count();
    let (mut fixed, mut other) = (0, 0);
    let mark = |line: &&Line| {
        let next = if line.fixed { &mut fixed } else { &mut other };
        *next += 1;
        (line.label.clone(), if line.fixed { Mark::fixed(*next - 1, all) } else { Mark::other(*next - 1) })
    };
    lines.iter().map(mark).collect()
}

/// Draws the legend and returns where it ends.
fn legend(drawing: &mut Drawing, marks: &[(String, Mark)], top: f64) -> f64 {
    let (mut x, mut y) = (0.0, top);
    for (label, mark) in marks {
        let label = LABEL.shortened(label, INNER - SAMPLE);
        let width = SAMPLE + LABEL.width(&label) + 14.0;
        if x > 0.0 && x + width > INNER {
            (x, y) = (0.0, y + LEGEND_LINE);
        }
        let middle = y + LEGEND_LINE / 2.0;
        mark.line(drawing, &[(MARGIN + x, middle), (MARGIN + x + SAMPLE - 7.0, middle)]);
        mark.shape(drawing, (MARGIN + x + (SAMPLE - 7.0) / 2.0, middle), 4.4, "");
        drawing.text((MARGIN + x + SAMPLE, middle + 4.0), Anchor::Start, LABEL, &label);
        x += width;
    }
    y + LEGEND_LINE
}

/// A panel in its place.
struct Plot<'a> {
    frame: Frame,
    chart: &'a Chart,
    panel: &'a Panel,
}

impl Plot<'_> {
    fn draw(&self, drawing: &mut Drawing, marks: &[(String, Mark)]) {
        let Self { frame, chart, panel } = self;
        let title = LABEL.shortened(&panel.title, frame.width - 16.0);
        drawing.text((frame.left + 8.0, frame.top + 18.0), Anchor::Start, LABEL, &title);
        let points = || panel.lines.iter().flat_map(|line| &line.points);
        if points().next().is_none() {
            return frame.empty(drawing);
        }
        let mut places: Vec<f64> = points().map(|point| point.x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let ends = |point: &crate::analyses::Point| {
            let (low, high) = point.interval.unwrap_or((point.y, point.y));
            [low, point.y, high]
        };
        let limits = match panel.unit {
            Unit::Share => (0.0, 1.0),
            Unit::Steps => (0.0, f64::INFINITY),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let within = |value: f64| value.clamp(limits.0, limits.1);
        let is_levels = places.iter().all(|place| place.fract() == 0.0);
        let across = match is_levels {
            true => Axis::of_levels(&places, frame.across(INSET + 8.0)),
            false => Axis::over(&places, (f64::NEG_INFINITY, f64::INFINITY), 6, frame.across(INSET)),
        };
        let values: Vec<f64> = points().flat_map(ends).map(within).collect();
        let upwards = Axis::over(&values, limits, 6, frame.upwards(INSET));
        self.trained(drawing, &places, &across);
        frame.axes(drawing, &across, &upwards);
        frame.below(drawing, &chart.across);
        let look = |line: &Line| marks.iter().find(|(label, _)| *label == line.label).map(|(_, mark)| mark.clone());
        for line in &panel.lines {
            let Some(mark) = look(line) else { continue };
            let at: Vec<(f64, f64)> =
                line.points.iter().map(|point| (across.at(point.x), upwards.at(point.y))).collect();
            for (point, (x, _)) in line.points.iter().zip(&at) {
                if let Some((low, high)) = point.interval {
                    mark.bar(drawing, [(*x, upwards.at(within(low))), (*x, upwards.at(within(high)))]);
                }
            }
            mark.line(drawing, &at);
            for (point, place) in line.points.iter().zip(&at) {
                let interval = point.interval.map(|(low, high)| format!(" [{low:.3}, {high:.3}]")).unwrap_or_default();
                let text =
                    format!("{}, {} {}: {:.3}{interval}", line.label, chart.across, level_label(point.x), point.y);
                mark.shape(drawing, *place, 3.6, &escaped(&text));
            }
        }
    }

    /// A shade behind the trained values: half of the way to their neighbours.
    fn trained(&self, drawing: &mut Drawing, places: &[f64], across: &Axis) {
        let ((left, right), (bottom, top)) = (self.frame.across(0.0), self.frame.upwards(0.0));
        for (number_of, place) in places.iter().enumerate().filter(|(_, place)| self.chart.trained.contains(place)) {
            let half = |other: Option<&f64>, edge: f64| other.map_or(edge, |other| across.at((place + other) / 2.0));
            let from = half(number_of.checked_sub(1).and_then(|before| places.get(before)), left);
            let to = half(places.get(number_of + 1), right);
            drawing.0 += &format!(
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{TRAINED}\"/>\n",
                number(from),
                number(top),
                number((to - from).max(0.0)),
                number(bottom - top)
            );
        }
    }
}
