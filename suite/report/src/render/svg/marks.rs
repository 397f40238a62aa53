//! The marks of policies: a colour and a shape, either of which is visible without the other.

use super::xml::{Drawing, number};

/// The Okabe-Ito colours that are dark enough on white; black and greys are for fixed depths.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Grey of the cheapest fixed depth, out of 255; the most expensive one is black.
const LIGHTEST: f64 = 150.0;
/// Number of policies after which colours and shapes repeat together.
const ROUND: usize = 18;

/// The shapes: corners as fractions of a turn from the top and fractions of the radius. The first one is a circle.
const SHAPES: [&[(f64, f64)]; 9] = [
    &[],
    &[(0.125, 1.2), (0.375, 1.2), (0.625, 1.2), (0.875, 1.2)],
    &[(0.0, 1.4), (0.3333, 1.4), (0.6667, 1.4)],
    &[(0.0, 1.35), (0.25, 1.35), (0.5, 1.35), (0.75, 1.35)],
    &[(0.5, 1.4), (0.8333, 1.4), (0.1667, 1.4)],
    &[(0.0, 1.25), (0.2, 1.25), (0.4, 1.25), (0.6, 1.25), (0.8, 1.25)],
    &[
        (0.0, 1.5),
        (0.1, 0.65),
        (0.2, 1.5),
        (0.3, 0.65),
        (0.4, 1.5),
        (0.5, 0.65),
        (0.6, 1.5),
        (0.7, 0.65),
        (0.8, 1.5),
        (0.9, 0.65),
    ],
    &PLUS,
    &CROSS,
];
const PLUS: [(f64, f64); 12] = arms(0.0);
const CROSS: [(f64, f64); 12] = arms(0.125);

/// Four arms, rotated.
const fn arms(turned: f64) -> [(f64, f64); 12] {
    let mut corners = [(0.0, 0.0); 12];
    let mut arm = 0;
    while arm < 4 {
        let middle = turned + 0.25 * arm as f64;
        corners[3 * arm] = (middle - 0.0475, 1.45);
        corners[3 * arm + 1] = (middle + 0.0475, 1.45);
        corners[3 * arm + 2] = (middle + 0.125, 0.6);
        arm += 1;
    }
    corners
}

/// The look of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Colour of lines and bars.
    pub colour: String,
    /// Whether the policy is a fixed depth: dashed and hollow.
    pub fixed: bool,
    shape: usize,
}

impl Mark {
    /// Fixed depth number `place` of `all`, counted from the cheapest.
    pub fn fixed(place: usize, all: usize) -> Self {
        let share = if all > 1 { place as f64 / (all - 1) as f64 } else { 1.0 };
        let grey = (LIGHTEST * (1.0 - share)).round() as u8;
        Self { colour: format!("#{grey:02x}{grey:02x}{grey:02x}"), fixed: true, shape: place % SHAPES.len() }
    }

    /// Policy number `place` among the others.
    pub fn other(place: usize) -> Self {
        let colour = COLOURS[place % COLOURS.len()].to_owned();
        Self { colour, fixed: false, shape: (place + place / ROUND) % SHAPES.len() }
    }

    /// A line of this policy through the points.
    pub fn line(&self, drawing: &mut Drawing, points: &[(f64, f64)]) {
        let dashes = if self.fixed { " stroke-dasharray=\"5 4\"" } else { "" };
        drawing.path(
            points,
            &self.colour,
            if self.fixed { 1.4 } else { 1.8 },
            &format!("{dashes} stroke-linejoin=\"round\""),
        );
    }

    /// An interval of this policy.
    pub fn bar(&self, drawing: &mut Drawing, ends: [(f64, f64); 2]) {
        drawing.path(&ends, &self.colour, 1.3, " stroke-opacity=\"0.75\"");
    }

    /// The shape around a point, with an escaped text as its tooltip.
    pub fn shape(&self, drawing: &mut Drawing, (x, y): (f64, f64), radius: f64, text: &str) {
        let title = if text.is_empty() { String::new() } else { format!("<title>{text}</title>") };
        let (fill, edge) =
            if self.fixed { ("#ffffff", self.colour.as_str()) } else { (self.colour.as_str(), "#ffffff") };
        let look =
            format!("fill=\"{fill}\" stroke=\"{edge}\" stroke-width=\"{}\"", if self.fixed { "1.4" } else { "0.8" });
        let corners = SHAPES[self.shape];
        if corners.is_empty() {
            let (x, y, radius) = (number(x), number(y), number(radius));
            drawing.0 += &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {look}>{title}</circle>\n");
            return;
        }
        let corner = |(turn, share): &(f64, f64)| {
            let (sine, cosine) = (turn * std::f64::consts::TAU).sin_cos();
            format!("{},{}", number(x + radius * share * sine), number(y - radius * share * cosine))
        };
        let corners: Vec<String> = corners.iter().map(corner).collect();
        drawing.0 += &format!("<polygon points=\"{}\" {look}>{title}</polygon>\n", corners.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_many_policies_look_alike() {
        let mut marks: Vec<Mark> = (0..9).map(|place| Mark::fixed(place, 9)).collect();
        marks.extend((0..54).map(Mark::other));
        for (place, mark) in marks.iter().enumerate() {
            assert!(!marks[..place].contains(mark), "{place} {mark:?}");
        }
        assert_eq!((Mark::fixed(0, 1).colour, Mark::fixed(0, 2).colour), ("#000000".to_owned(), "#969696".to_owned()));
    }
}
