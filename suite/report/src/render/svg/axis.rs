//! Axes: round ticks and the pixel of a value.

/// Up to this many levels, every level is a tick.
const MOST_LEVELS: usize = 12;
/// Width of a tick's label in pixels: per letter, and in addition.
const LABEL: (f64, f64) = (7.0, 8.0);

/// A straight axis.
pub(super) struct Axis {
    /// Ticks and their labels, ascending.
    pub ticks: Vec<(f64, String)>,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis over all values, from tick to tick and within `limits`, on the pixels `from` to `to`.
    pub fn over(values: &[f64], limits: (f64, f64), wanted: usize, (from, to): (f64, f64)) -> Self {
        let (mut low, mut high) = extremes(values);
        if high - low < 1e-9 * high.abs().max(1.0) {
            (low, high) = ((low - 1.0).max(limits.0), (high + 1.0).min(limits.1));
        }
        let values = ticks(low, high, wanted);
        let (low, high) = extremes(&values);
        Self { ticks: labelled(&values), low, high, from, to }
    }

    /// An axis of levels on the pixels `from` to `to`. The levels are the ticks if their labels fit.
    pub fn of_levels(levels: &[f64], (from, to): (f64, f64)) -> Self {
        let (mut low, mut high) = extremes(levels);
        if high <= low {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let axis = |ticks| Self { ticks, low, high, from, to };
        let own = axis(levels.iter().map(|level| (*level, level_label(*level))).collect());
        if levels.len() <= MOST_LEVELS && own.has_room() {
            return own;
        }
        let whole = levels.iter().all(|level| level.fract() == 0.0);
        let mut round = ticks(low, high, 6);
        round.retain(|tick| (low..=high).contains(tick) && (!whole || tick.fract() == 0.0));
        axis(labelled(&round))
    }

    /// Pixel of a value.
    pub fn at(&self, value: f64) -> f64 {
        if self.high <= self.low {
            return (self.from + self.to) / 2.0;
        }
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Pixel of the upper end.
    pub fn end(&self) -> f64 {
        self.to
    }

    /// Whether neighbouring labels fit without touching.
    fn has_room(&self) -> bool {
        self.ticks.windows(2).all(|pair| {
            let letters: usize = pair.iter().map(|(_, label)| label.chars().count()).sum();
            self.at(pair[1].0) - self.at(pair[0].0) >= LABEL.0 * letters as f64 / 2.0 + LABEL.1
        })
    }
}

/// The level as it was computed: complexities are stored in single precision.
pub(super) fn level_label(level: f64) -> String {
    let single = level as f32;
    if f64::from(single) == level { single.to_string() } else { level.to_string() }
}

/// Multiples of 1, 2 or 5 times a power of ten, from the last one at or below `low` to the first one at or above
/// `high`, with at most `wanted` steps from `low` to `high`. Without a range, only `low`.
pub(super) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let least = (high - low) / wanted.max(1) as f64;
    if !least.is_finite() || least <= 0.0 {
        return vec![low];
    }
    let power = least.log10().floor() as i32;
    let unit = [1.0, 2.0, 5.0].into_iter().find(|unit| scaled(*unit, power) >= least * (1.0 - 1e-9));
    let (unit, power) = unit.map_or((1.0, power + 1), |unit| (unit, power));
    let step = scaled(unit, power);
    let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    let steps = (last - first).clamp(0.0, 2.0 * wanted as f64 + 2.0) as usize;
    (0..=steps).map(|place| scaled((first + place as f64) * unit, power)).collect()
}

/// `number` times a power of ten, without rounding noise in the decimals.
fn scaled(number: f64, power: i32) -> f64 {
    if power < 0 { number / 10_f64.powi(-power) } else { number * 10_f64.powi(power) }
}

/// Ticks labelled with enough decimals to distinguish them.
fn labelled(ticks: &[f64]) -> Vec<(f64, String)> {
    let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let decimals = (0..9).find(|&decimals| step * 10_f64.powi(decimals) >= 1.0 - 1e-9).unwrap_or(0) as usize;
    ticks.iter().map(|&tick| (tick, format!("{:.decimals$}", tick + 0.0))).collect()
}

fn extremes(values: &[f64]) -> (f64, f64) {
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        assert_eq!(ticks(0.0, 100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(27.3, 100.0, 5), [20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(0.12, 0.31, 4), [0.1, 0.15, 0.2, 0.25, 0.3, 0.35]);
        assert_eq!(ticks(-3.0, 3.0, 3), [-4.0, -2.0, 0.0, 2.0, 4.0]);
        assert_eq!(ticks(1.0, 4.0, 5), [1.0, 2.0, 3.0, 4.0]);
        for (low, high) in [(0.0, 1e-7), (99.97, 100.0), (3.0, 12_345.0), (1e20, 1.001e20)] {
            for wanted in 1..9 {
                let ticks = ticks(low, high, wanted);
                assert!(ticks[0] <= low && *ticks.last().unwrap() >= high, "{low} {high} {ticks:?}");
                assert!((2..=wanted + 3).contains(&ticks.len()), "{low} {high} {wanted} {ticks:?}");
                assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }
    }

    #[test]
    fn percentages_never_exceed_a_hundred() {
        for low in 0..100 {
            let ticks = ticks(f64::from(low), 100.0, 5);
            assert_eq!(*ticks.last().unwrap(), 100.0, "{ticks:?}");
        }
    }

    #[test]
    fn without_a_range_there_is_one_tick() {
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
        assert_eq!(ticks(3.0, f64::INFINITY, 5), [3.0]);
        assert_eq!(ticks(1e20, 1e20 + 1.0, 5), [1e20]);
    }

    #[test]
    fn labels_have_the_decimals_that_they_need() {
        let labels = |ticks: &[f64]| labelled(ticks).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(&[-2.0, 0.0, 2.0]), ["-2", "0", "2"]);
        assert_eq!(labels(&ticks(0.1, 0.3, 4)), ["0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(labels(&[3.0]), ["3"]);
    }

    #[test]
    fn equal_values_lie_in_the_middle_and_limits_hold() {
        let axis = Axis::over(&[3.0, 3.0], (0.0, 9.0), 4, (0.0, 100.0));
        assert_eq!(axis.at(3.0), 50.0);
        let axis = Axis::over(&[100.0], (0.0, 100.0), 4, (0.0, 100.0));
        assert_eq!((axis.at(100.0), axis.ticks.last().unwrap().1.as_str()), (100.0, "100.0"));
        assert_eq!(Axis::over(&[], (0.0, 9.0), 4, (0.0, 100.0)).at(0.5), 50.0);
    }

    #[test]
    fn levels_are_ticks_while_their_labels_fit() {
        let labels = |levels: &[f64]| -> Vec<String> {
            Axis::of_levels(levels, (0.0, 240.0)).ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(&[1.0, 2.0, 4.0]), ["1", "2", "4"]);
        assert_eq!(labels(&[f64::from(0.1_f32), 0.5]), ["0.1", "0.5"]);
        assert_eq!(labels(&[7.0]), ["7"]);
        assert_eq!(labels(&(1..=30).map(f64::from).collect::<Vec<_>>()), ["5", "10", "15", "20", "25", "30"]);
        assert_eq!(labels(&[1.0, 1.01, 100.0]), ["20", "40", "60", "80", "100"]);
        assert_eq!(Axis::of_levels(&[7.0], (0.0, 240.0)).at(7.0), 120.0);
    }
}
