//! Checks the sizes of an evaluation against the task's training sizes: a size in the wrong list would be reported in
//! the wrong split.

use haltbench_sdk::task::{SizeKnob, admit_size};

use super::settings::Evaluation;
use crate::error::{Error, Result};

/// Checks that every given size can be expressed by the task, is in the right list, and occurs once.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Contract`] naming the key, what was expected and what was found.
pub fn check(task: &str, knob: &SizeKnob, evaluation: &Evaluation) -> Result<()> {
    let trained = |size: u32| knob.training.contains(&size);
    let (least, most) = (knob.training.iter().min().copied(), knob.training.iter().max().copied());
    let inside = |size: u32| least.is_some_and(|least| least < size) && most.is_some_and(|most| size < most);
    let above = |size: u32| most.is_none_or(|most| most < size);
    if evaluation.in_range.as_ref().is_some_and(Vec::is_empty) {
        return Err(refused(task, knob, "in_range", "at least one of the sizes", "none"));
    }
    each(task, knob, "in_range", &evaluation.in_range, "sizes out of those", trained)?;
    let between = |size| inside(size) && !trained(size);
    each(task, knob, "between", &evaluation.between, "unseen sizes inside the range of those", between)?;
    each(task, knob, "beyond", &evaluation.beyond, "sizes above all", above)
}

/// Checks one list: every size can be expressed, satisfies `belongs` and occurs once. No size can satisfy two lists.
fn each(
    task: &str,
    knob: &SizeKnob,
    key: &str,
    sizes: &Option<Vec<u32>>,
    expected: &str,
    belongs: impl Fn(u32) -> bool,
) -> Result<()> {
    let sizes = sizes.as_deref().unwrap_or_default();
    for (place, &size) in sizes.iter().enumerate() {
        admit_size(task, knob, size)?;
        if !belongs(size) {
            return Err(refused(task, knob, key, expected, size));
        }
        if sizes.iter().take(place).any(|&earlier| earlier == size) {
            return Err(Error::Usage(format!("evaluation.{key}: expected every size once, found {size} twice")));
        }
    }
    Ok(())
}

fn refused(task: &str, knob: &SizeKnob, key: &str, expected: &str, found: impl std::fmt::Display) -> Error {
    let (name, trained) = (knob.name, in_words(&knob.training));
    Error::Usage(format!(
        "evaluation.{key}: expected {expected} that {task} trains on ({name} = {trained}), found {found}"
    ))
}

/// Ascending sizes as text, such as `2 to 4, 6`; runs of three or more are shortened.
fn in_words(sizes: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &size in sizes {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(size) => *last = size,
            _ => runs.push((size, size)),
        }
    }
    let run = |(first, last): (u32, u32)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knob() -> SizeKnob {
        SizeKnob { name: "L", minimum: 1, maximum: 9, training: vec![2, 3, 4, 6], between: vec![5], beyond: vec![7] }
    }

    fn evaluation(key: &str, sizes: &[u32]) -> Evaluation {
        let of = |list: &str| (key == list).then(|| sizes.to_vec());
        let (in_range, between, beyond) = (of("in_range"), of("between"), of("beyond"));
        Evaluation { in_range, between, beyond, ..Evaluation::default() }
    }

    #[test]
    fn lists_are_checked_against_the_sizes_trained_on() {
        let check = |key, sizes: &[u32]| check("mano", &knob(), &evaluation(key, sizes)).map_err(|e| e.to_string());
        assert_eq!(check("none", &[]), Ok(()));
        for (key, sizes) in [("in_range", &[6, 2][..]), ("between", &[5]), ("between", &[]), ("beyond", &[9, 7])] {
            assert_eq!(check(key, sizes), Ok(()));
        }
        let inside = "unseen sizes inside the range of those that mano trains on (L = 2 to 4, 6)";
        let above = "sizes above all that mano trains on (L = 2 to 4, 6)";
        let trained = "sizes out of those that mano trains on (L = 2 to 4, 6)";
        let cases = [
            (
                "in_range",
                &[][..],
                "at least one of the sizes that mano trains on (L = 2 to 4, 6), found none".to_owned(),
            ),
            ("in_range", &[2, 7], format!("{trained}, found 7")),
            ("in_range", &[5], format!("{trained}, found 5")),
            ("in_range", &[2, 6, 2], "every size once, found 2 twice".to_owned()),
            ("between", &[4], format!("{inside}, found 4")),
            ("between", &[1], format!("{inside}, found 1")),
            ("between", &[5, 7], format!("{inside}, found 7")),
            ("beyond", &[7, 4], format!("{above}, found 4")),
            ("beyond", &[5], format!("{above}, found 5")),
            ("beyond", &[8, 8], "every size once, found 8 twice".to_owned()),
        ];
        for (key, sizes, message) in cases {
            assert_eq!(check(key, sizes), Err(format!("evaluation.{key}: expected {message}")));
        }
        assert!(check("beyond", &[10]).is_err_and(|message| message.contains("L from 1 to 9, found 10")));
    }
}
