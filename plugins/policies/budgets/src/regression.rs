//! Least squares of a polynomial in length and position.

/// Number of terms.
const TERMS: usize = 6;

/// A pivot below this share of its term's square is taken for 0: the other terms determine this one.
const SMALLEST: f64 = 1e-9;

/// A polynomial with the terms 1, S, p, S², S p, p² of lengths S and positions p, both divided by `scale`.
pub struct Polynomial {
    coefficients: [f64; TERMS],
    scale: f64,
}

/// The terms of a token.
fn terms(length: f64, position: f64) -> [f64; TERMS] {
    [1.0, length, position, length * length, length * position, position * position]
}

impl Polynomial {
    /// The polynomial nearest to the depths of tokens, given with the length of their sequence and their position.
    pub fn fit(tokens: impl Iterator<Item = (usize, usize, u32)>) -> Self {
        let tokens: Vec<(f64, f64, f64)> =
            tokens.map(|(length, position, depth)| (length as f64, position as f64, f64::from(depth))).collect();
        let scale = tokens.iter().map(|(length, ..)| *length).fold(1.0, f64::max);
        // The normal equations, with the right-hand side as a last column.
        let mut rows = [[0.0; TERMS + 1]; TERMS];
        for (length, position, depth) in &tokens {
            let terms = terms(length / scale, position / scale);
            for (row, own) in rows.iter_mut().zip(terms) {
                row.iter_mut().zip(terms).for_each(|(entry, other)| *entry += own * other);
                row[TERMS] += own * depth;
            }
        }
        Self { coefficients: solve(rows), scale }
    }

    /// The value at a token.
    pub fn value(&self, length: usize, position: usize) -> f64 {
        let terms = terms(length as f64 / self.scale, position as f64 / self.scale);
        terms.iter().zip(self.coefficients).map(|(term, coefficient)| term * coefficient).sum()
    }

    /// The value as a depth: rounded to the nearest whole number, halves up, and kept within 1 and `most`.
    pub fn depth(&self, length: usize, position: usize, most: usize) -> u32 {
        // Rounding of the fit must not turn a half into less.
        (self.value(length, position) + 0.5 + 1e-9).floor().clamp(1.0, most as f64) as u32
    }
}

/// Solves the symmetric equations by elimination without exchange; a term whose pivot vanishes gets 0.
fn solve(mut rows: [[f64; TERMS + 1]; TERMS]) -> [f64; TERMS] {
    let sizes: [f64; TERMS] = std::array::from_fn(|term| rows[term][term]);
    let mut is_used = [false; TERMS];
    for pivot in 0..TERMS {
        if rows[pivot][pivot] <= SMALLEST * sizes[pivot] {
            continue;
        }
        is_used[pivot] = true;
        let own = rows[pivot];
        for (_, row) in rows.iter_mut().enumerate().filter(|(other, _)| *other != pivot) {
            let share = row[pivot] / own[pivot];
            row.iter_mut().zip(own).for_each(|(entry, own)| *entry -= share * own);
        }
    }
    std::array::from_fn(|term| if is_used[term] { rows[term][TERMS] / rows[term][term] } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of sequences of 3, 5, 8 and 13 tokens with depths of no simple form.
    fn tokens() -> Vec<(usize, usize, u32)> {
        let of = |length: usize| {
            (0..length).map(move |position| (length, position, 1 + (7 * length + 5 * position * position) as u32 % 6))
        };
        [3, 5, 8, 13].into_iter().flat_map(of).collect()
    }

    /// The residuals of least squares have no correlation with any term.
    #[test]
    fn residuals_are_orthogonal_to_every_term() {
        let fitted = Polynomial::fit(tokens().into_iter());
        for term in 0..TERMS {
            let residual = |(length, position, depth): &(usize, usize, u32)| {
                terms(*length as f64, *position as f64)[term] * (f64::from(*depth) - fitted.value(*length, *position))
            };
            let (sum, size) =
                tokens().iter().map(residual).fold((0.0, 0.0), |(sum, size), value| (sum + value, size + value.abs()));
            assert!(sum.abs() < 1e-7 * size, "term {term}: {sum} of {size}");
        }
    }

    #[test]
    fn an_exact_polynomial_is_found_and_extended() {
        let exact = |length: usize, position: usize| (1 + length + position * position) as u32;
        let known = tokens().into_iter().map(|(length, position, _)| (length, position, exact(length, position)));
        let fitted = Polynomial::fit(known);
        assert_eq!(fitted.depth(20, 15, 1000), exact(20, 15));
        assert_eq!((fitted.depth(20, 15, 6), fitted.depth(1, 0, 6)), (6, 2));
    }

    /// With sequences of one length, the terms of the length are constant.
    #[test]
    fn terms_that_others_determine_are_left_out() {
        let fitted = Polynomial::fit((0..9).map(|position| (9, position, 1 + position as u32 / 2)));
        assert_eq!(fitted.coefficients[1], 0.0);
        assert!((0..9).all(|position| fitted.value(9, position).is_finite()));
        let one = Polynomial::fit([(1, 0, 3)].into_iter());
        assert_eq!((one.depth(1, 0, 6), one.depth(5, 4, 6)), (3, 3));
        assert_eq!(Polynomial::fit(std::iter::empty()).depth(4, 2, 6), 1);
    }
}
