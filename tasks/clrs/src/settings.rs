//! Parameters: which algorithms, and at which sizes.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::SizeKnob;
use haltbench_sdk::{Error, Result};

use crate::limits::longest;
use crate::published::{LARGEST, Row, SMALLEST, TABLE};

/// Stands for all algorithms.
const MIXTURE: &str = "mixture";

const CHOICES: [&str; TABLE.len() + 1] = {
    let mut choices = [MIXTURE; TABLE.len() + 1];
    let mut index = 0;
    while index < TABLE.len() {
        choices[index + 1] = TABLE[index].name;
        index += 1;
    }
    choices
};

/// The parameters of the task.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::choice("algorithm", MIXTURE, &CHOICES, "One algorithm alone, or the mixture of all tasks."),
    ParameterSpec::flag(
        "merge",
        true,
        "The mixture has the paper's 23 tasks rather than all 30 algorithms: of variants that ask for the same, one \
         is left.",
    ),
    ParameterSpec::integer(
        "largest_training",
        LARGEST as i64,
        (SMALLEST as i64, LARGEST as i64),
        "Published training sizes N above this are left out, and evaluation sizes above the largest that is left are \
         beyond training.",
    ),
    ParameterSpec::integer(
        "largest",
        LARGEST as i64,
        (SMALLEST as i64, LARGEST as i64),
        "Published evaluation sizes N above this are left out.",
    ),
    ParameterSpec::integer(
        "longest",
        0,
        (0, i64::MAX),
        "An algorithm is left out at sizes where an instance can have more tokens than this; 0 for no limit.",
    ),
];

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sizes.
    pub knob: SizeKnob,
    /// The algorithms; for a mixture those of every size, from 0.
    algorithms: Algorithms,
    longest: usize,
}

#[derive(Debug, Clone)]
enum Algorithms {
    One(&'static Row),
    Mixture(Vec<Vec<&'static Row>>),
}

impl Settings {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`] where nothing is left to train on.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let name = parameters.text("algorithm")?;
        let merge = parameters.flag("merge")?;
        let limit = match parameters.integer("longest")? {
            0 => usize::MAX,
            tokens => tokens,
        };
        let chosen: Vec<&'static Row> = TABLE
            .iter()
            .filter(|row| if name == MIXTURE { !merge || row.represents() } else { row.name == name })
            .collect();
        let most_training = parameters.integer("largest_training")? as u32;
        let most = parameters.integer("largest")? as u32;
        let fits = |row: &Row, size: u32| longest(row, size as usize) <= limit;
        let trained = |row: &Row, size: u32| row.training.contains(&size) && size <= most_training && fits(row, size);
        let sizes = SMALLEST..=LARGEST;
        let training: Vec<u32> = sizes.clone().filter(|size| chosen.iter().any(|row| trained(row, *size))).collect();
        let (Some(first), Some(last)) = (training.first().copied(), training.last().copied()) else {
            let shortest = chosen.iter().map(|row| longest(row, SMALLEST as usize)).min().unwrap_or_default();
            let expected = format!("at least {shortest} tokens, or 0");
            return Err(Error::invalid("parameter `longest` of clrs", expected, limit));
        };
        let evaluated = |row: &&Row, size: u32| row.evaluates(size) && size <= most && fits(row, size);
        let unseen: Vec<u32> = sizes
            .clone()
            .filter(|size| !training.contains(size) && chosen.iter().any(|row| evaluated(row, *size)))
            .collect();
        let (between, beyond) = unseen.into_iter().partition(|size| (first..last).contains(size));
        let algorithms = match chosen[..] {
            [row] => Algorithms::One(row),
            _ => {
                let seen = |size: u32| chosen.iter().copied().filter(move |row| trained(row, size));
                let of_size = |size: u32| match training.contains(&size) {
                    true => seen(size).collect(),
                    false => chosen.iter().copied().filter(|row| evaluated(row, size)).collect(),
                };
                Algorithms::Mixture((0..=LARGEST).map(of_size).collect())
            }
        };
        let maximum = match name {
            MIXTURE => most.max(last),
            _ => LARGEST,
        };
        let knob = SizeKnob { name: "N", minimum: SMALLEST, maximum, training, between, beyond };
        Ok(Self { knob, algorithms, longest: limit })
    }

    /// The algorithms that instances of a size are drawn from, each equally likely.
    ///
    /// # Errors
    /// [`Error::Invalid`] if none is left at this size.
    pub fn at(&self, size: u32) -> Result<&[&'static Row]> {
        let found = self.found(size);
        if found.is_empty() {
            let sizes: Vec<u32> = (SMALLEST..=self.knob.maximum).filter(|size| !self.found(*size).is_empty()).collect();
            let limit = match self.longest {
                usize::MAX => String::new(),
                tokens => format!(" of at most {tokens} tokens"),
            };
            let expected = format!("one of the sizes that have an algorithm{limit}, {}", ranges(&sizes));
            return Err(Error::invalid("size of clrs", expected, size));
        }
        Ok(found)
    }

    fn found(&self, size: u32) -> &[&'static Row] {
        match &self.algorithms {
            Algorithms::One(row) if longest(row, size as usize) <= self.longest => std::slice::from_ref(row),
            Algorithms::One(_) => &[],
            Algorithms::Mixture(sizes) => sizes.get(size as usize).map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

/// Ascending sizes in words: `4 to 12, 15, 19`.
fn ranges(sizes: &[u32]) -> String {
    let runs = sizes.chunk_by(|size, next| size + 1 == *next);
    let words = runs.map(|run| match run {
        [size] => size.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    });
    words.collect::<Vec<_>>().join(", ")
}
