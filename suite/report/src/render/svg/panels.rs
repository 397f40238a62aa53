//! The three panels of a board.

use haltbench_analysis::Frontier;

use super::axis::{Axis, level_label};
use super::frame::Frame;
use super::series::{Points, Reading, Series};
use super::xml::{Anchor, Drawing, HEADING, escaped};

/// Padding inside a plot, so that marks at its edges are not cut off.
const INSET: f64 = 8.0;
/// Padding beside the first and last level.
const LEVEL_INSET: f64 = 24.0;
/// Largest distance between two policies at a level.
const APART: f64 = 6.0;
/// Colour of the frontier.
pub(super) const FRONTIER: &str = "#666666";

/// The place of a panel, and the titles of its axes.
pub(super) struct Panel<'a> {
    pub frame: Frame,
    pub title: &'a str,
    pub below: &'a str,
}

/// The points of a policy in a panel by level.
type Of = fn(&Series) -> &[(f64, Reading)];

impl Panel<'_> {
    /// A line with marks for each policy that has points. Policies are side by side at each level.
    pub fn by_level(&self, drawing: &mut Drawing, points: &Points, of: Of, limits: (f64, f64), always: &[f64]) {
        let shown: Vec<&Series> = points.series.iter().filter(|series| !of(series).is_empty()).collect();
        let mut extent: Vec<f64> =
            shown.iter().flat_map(|series| of(series)).flat_map(|(_, reading)| reading.extent()).collect();
        if extent.is_empty() {
            return self.empty(drawing);
        }
        extent.extend(always);
        let across = Axis::of_levels(&points.levels, self.frame.across(LEVEL_INSET));
        let upwards = Axis::over(&extent, limits, 6, self.frame.upwards(INSET));
        self.framed(drawing, &across, &upwards);
        let gap = points.levels.windows(2).map(|pair| across.at(pair[1]) - across.at(pair[0]));
        let gap = gap.fold(f64::INFINITY, f64::min);
        // Neighbouring levels do not overlap, and the outermost marks stay within the plot.
        let others = (shown.len() - 1) as f64;
        let apart = APART.min(0.5 * gap / (others + 1.0)).min(2.0 * (LEVEL_INSET - INSET) / others.max(1.0));
        let radius = if gap < 16.0 { 2.6 } else { 4.0 };
        let placed: Vec<Vec<(f64, f64)>> = (0..)
            .zip(&shown)
            .map(|(place, series)| {
                let aside = apart * (f64::from(place) - others / 2.0);
                let point = |(level, reading): &(f64, Reading)| (across.at(*level) + aside, upwards.at(reading.value));
                of(series).iter().map(point).collect()
            })
            .collect();
        for (series, places) in shown.iter().zip(&placed) {
            for ((x, _), (_, reading)) in places.iter().zip(of(series)) {
                if let Some((low, high)) = reading.interval {
                    series.mark.bar(drawing, [(*x, upwards.at(low)), (*x, upwards.at(high))]);
                }
            }
        }
        shown.iter().zip(&placed).for_each(|(series, places)| series.mark.line(drawing, places));
        for (series, places) in shown.iter().zip(&placed) {
            for (place, (level, reading)) in places.iter().zip(of(series)) {
                let text = format!("{}, {} {}: {}", series.label, self.below, level_label(*level), shown_as(reading));
                series.mark.shape(drawing, *place, radius, &escaped(&text));
            }
        }
    }

    /// A point for each policy, and the frontier of the fixed depths. Returns whether there is a frontier.
    pub fn by_cost(&self, drawing: &mut Drawing, points: &Points) -> bool {
        let shown: Vec<(&Series, Reading, Reading)> =
            points.series.iter().filter_map(|series| series.cost.map(|(cost, right)| (series, cost, right))).collect();
        if shown.is_empty() {
            self.empty(drawing);
            return false;
        }
        let costs: Vec<f64> = shown.iter().flat_map(|(_, cost, _)| cost.extent()).collect();
        let rights: Vec<f64> = shown.iter().flat_map(|(.., right)| right.extent()).collect();
        let across = Axis::over(&costs, (0.0, f64::INFINITY), 6, self.frame.across(INSET));
        let upwards = Axis::over(&rights, (0.0, 100.0), 6, self.frame.upwards(INSET));
        self.framed(drawing, &across, &upwards);
        let fixed: Vec<(f64, f64)> = shown
            .iter()
            .filter(|(series, ..)| series.mark.fixed)
            .map(|(_, cost, right)| (cost.value, right.value))
            .collect();
        let frontier = Frontier::new(&fixed).ok();
        if let Some(frontier) = &frontier {
            let mut line: Vec<(f64, f64)> =
                frontier.points().iter().map(|(cost, right)| (across.at(*cost), upwards.at(*right))).collect();
            // The frontier is flat beyond its most expensive depth.
            line.extend(line.last().map(|last| (across.end(), last.1)));
            drawing.path(&line, FRONTIER, 1.6, " stroke-linejoin=\"round\"");
        }
        for (series, cost, right) in &shown {
            let (x, y) = (across.at(cost.value), upwards.at(right.value));
            if let Some((low, high)) = cost.interval {
                series.mark.bar(drawing, [(across.at(low), y), (across.at(high), y)]);
            }
            if let Some((low, high)) = right.interval {
                series.mark.bar(drawing, [(x, upwards.at(low)), (x, upwards.at(high))]);
            }
        }
        for (series, cost, right) in &shown {
            let text = format!("{}: {} % right at {} % of dense", series.label, shown_as(right), shown_as(cost));
            series.mark.shape(drawing, (across.at(cost.value), upwards.at(right.value)), 4.6, &escaped(&text));
        }
        frontier.is_some()
    }

    fn framed(&self, drawing: &mut Drawing, across: &Axis, upwards: &Axis) {
        self.titles(drawing);
        self.frame.axes(drawing, across, upwards);
    }

    /// A plot without data.
    fn empty(&self, drawing: &mut Drawing) {
        self.titles(drawing);
        self.frame.empty(drawing);
    }

    fn titles(&self, drawing: &mut Drawing) {
        drawing.text((self.frame.left + 8.0, self.frame.top + 14.0), Anchor::Start, HEADING, self.title);
        self.frame.below(drawing, self.below);
    }
}

fn shown_as(reading: &Reading) -> String {
    let interval = reading.interval.map(|(low, high)| format!(" [{low:.2}, {high:.2}]")).unwrap_or_default();
    format!("{:.2}{interval}", reading.value)
}
