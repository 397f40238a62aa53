//! The frame of a plot: its place, its axes and their labels.

use super::axis::Axis;
use super::xml::{Anchor, Drawing, LABEL, SMALL, SOFT};

/// Height of a plot with its title and axes.
pub(super) const HEIGHT: f64 = ABOVE + PLOT + BELOW;
const ABOVE: f64 = 30.0;
const PLOT: f64 = 240.0;
const BELOW: f64 = 44.0;
/// Space for labels left of a plot, and for overhang right of it.
const SIDES: (f64, f64) = (46.0, 18.0);
const GRID: &str = "#e6e6e6";

/// The place of a plot.
pub(super) struct Frame {
    pub left: f64,
    pub top: f64,
    pub width: f64,
}

impl Frame {
    /// Left and right pixel of the plot.
    pub fn across(&self, inset: f64) -> (f64, f64) {
        (self.left + SIDES.0 + inset, self.left + self.width - SIDES.1 - inset)
    }

    /// Bottom and top pixel of the plot.
    pub fn upwards(&self, inset: f64) -> (f64, f64) {
        (self.top + ABOVE + PLOT - inset, self.top + ABOVE + inset)
    }

    /// Axes with their ticks.
    pub fn axes(&self, drawing: &mut Drawing, across: &Axis, upwards: &Axis) {
        let ((left, right), (bottom, _)) = (self.across(0.0), self.upwards(0.0));
        for (value, label) in &upwards.ticks {
            let y = upwards.at(*value);
            drawing.path(&[(left, y), (right, y)], GRID, 1.0, "");
            drawing.text((left - 7.0, y + 4.0), Anchor::End, SMALL, label);
        }
        for (value, label) in &across.ticks {
            let x = across.at(*value);
            drawing.path(&[(x, bottom), (x, bottom + 4.0)], SOFT, 1.0, "");
            drawing.text((x, bottom + 17.0), Anchor::Middle, SMALL, label);
        }
        self.lines(drawing);
    }

    /// A plot without data.
    pub fn empty(&self, drawing: &mut Drawing) {
        let ((left, right), (bottom, top)) = (self.across(0.0), self.upwards(0.0));
        self.lines(drawing);
        drawing.text(((left + right) / 2.0, (top + bottom) / 2.0), Anchor::Middle, LABEL, "nothing to show");
    }

    /// The title of the horizontal axis.
    pub fn below(&self, drawing: &mut Drawing, text: &str) {
        let ((left, right), (bottom, _)) = (self.across(0.0), self.upwards(0.0));
        let text = LABEL.shortened(text, right - left);
        drawing.text(((left + right) / 2.0, bottom + 36.0), Anchor::Middle, LABEL, &text);
    }

    fn lines(&self, drawing: &mut Drawing) {
        let ((left, right), (bottom, top)) = (self.across(0.0), self.upwards(0.0));
        drawing.path(&[(left, top), (left, bottom), (right, bottom)], SOFT, 1.0, "");
    }
}
