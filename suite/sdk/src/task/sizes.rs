//! Sizes from the parameters of a task: the grids for training, between and beyond.

use super::SizeKnob;
use crate::error::{Error, Result};
use crate::parameters::Parameters;

/// Evaluation sizes beyond training, as fractions of the largest training size.
const BEYOND: [[u32; 2]; 4] = [[5, 4], [3, 2], [2, 1], [4, 1]];

/// The knob of the task `owner`, from its parameters `minimum_UNIT`, `maximum_UNIT`, `largest_UNIT` and `skip`. The
/// task expresses sizes from `smallest` on.
///
/// # Errors
/// [`Error::Invalid`], naming the invalid parameter.
pub fn knob(owner: &str, unit: &str, smallest: u32, parameters: &Parameters) -> Result<SizeKnob> {
    let [minimum_name, maximum_name, largest_name] =
        ["minimum", "maximum", "largest"].map(|end| format!("{end}_{unit}"));
    let whole = |name: &str| parameters.integer(name).map(|value| value as u32);
    let operand = |name: &str| format!("parameter `{name}` of {owner}");
    let [minimum, maximum, largest] = [whole(&minimum_name)?, whole(&maximum_name)?, whole(&largest_name)?];
    if minimum < smallest {
        let expected = format!("at least {smallest}, the smallest size with these parameters");
        return Err(Error::invalid(operand(&minimum_name), expected, minimum));
    }
    if maximum < minimum {
        let expected = format!("at least {minimum_name}, which is {minimum}");
        return Err(Error::invalid(operand(&maximum_name), expected, maximum));
    }
    if largest < maximum {
        let expected = format!("at least {maximum_name}, which is {maximum}");
        return Err(Error::invalid(operand(&largest_name), expected, largest));
    }
    let between = skipped(operand("skip"), parameters.text("skip")?, minimum, maximum)?;
    let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
    let mut beyond: Vec<u32> = BEYOND.iter().map(|[times, parts]| maximum * times / parts).collect();
    beyond.retain(|size| (maximum + 1..=largest).contains(size));
    beyond.dedup();
    Ok(SizeKnob { name: "N", minimum: smallest, maximum: largest, training, between, beyond })
}

/// The sizes listed in `text`, ascending: those inside the range of training that training never sees.
///
/// # Errors
/// [`Error::Invalid`], naming `operand`, unless they are distinct sizes strictly between `minimum` and `maximum`.
pub fn skipped(operand: String, text: &str, minimum: u32, maximum: u32) -> Result<Vec<u32>> {
    let mut sizes = Vec::new();
    for word in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        // Sizes at the ends of the range are not between training sizes.
        let size = word.parse().ok().filter(|size| (minimum + 1..maximum).contains(size));
        match size {
            Some(size) if !sizes.contains(&size) => sizes.push(size),
            _ => {
                let expected = format!("distinct sizes strictly between {minimum} and {maximum}, separated by commas");
                return Err(Error::invalid(operand, expected, format!("`{word}`")));
            }
        }
    }
    sizes.sort_unstable();
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::skipped;

    #[test]
    fn skipped_sizes_are_distinct_and_inside_the_range() {
        let read = |text: &str| skipped("skip".to_owned(), text, 2, 7).map_err(|error| error.to_string());
        assert_eq!(read(" 5, 3"), Ok(vec![3, 5]));
        assert_eq!((read(""), read("  ")), (Ok(Vec::new()), Ok(Vec::new())));
        for (text, word) in [("2", "2"), ("7", "7"), ("3,3", "3"), ("3,,4", ""), ("x", "x"), ("3;4", "3;4")] {
            let expected =
                format!("skip: expected distinct sizes strictly between 2 and 7, separated by commas, found `{word}`");
            assert_eq!(read(text), Err(expected));
        }
    }
}
