//! Parameters: the algorithms and their sizes.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{SizeKnob, Split, TokenSize};
use haltbench_sdk::{Error, Result};

use crate::limits::longest;
use crate::published::{Algorithm, LARGEST, Row, SMALLEST, TABLE};

/// Selects all algorithms.
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
    /// The algorithms; for a mixture, indexed by size.
    algorithms: Algorithms,
    longest: usize,
}

#[derive(Debug, Clone)]
enum Algorithms {
    One(&'static Row),
    Mixture(Vec<OfSize>),
}

/// The algorithms of a mixture at one size.
#[derive(Debug, Clone)]
struct OfSize {
    /// Algorithms that are trained at it.
    trained: Vec<&'static Row>,
    /// Algorithms that are trained or evaluated at it.
    all: Vec<&'static Row>,
}

impl Settings {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`] if nothing is left to train on.
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
                let of_size = |size: u32| {
                    let rows = |keep: &dyn Fn(&Row) -> bool| chosen.iter().copied().filter(|row| keep(row)).collect();
                    let trained = |row: &Row| trained(row, size);
                    OfSize { trained: rows(&trained), all: rows(&|row| trained(row) || evaluated(&row, size)) }
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

    /// The algorithms of instances of a size, all equally likely.
    ///
    /// # Errors
    /// [`Error::Invalid`] if none is left at this size.
    pub fn at(&self, size: u32) -> Result<&[&'static Row]> {
        self.some(size, |sizes| &sizes.all)
    }

    /// The algorithms of training instances of a size.
    ///
    /// # Errors
    /// [`Error::Invalid`] if none is left at this size.
    pub fn trained_at(&self, size: u32) -> Result<&[&'static Row]> {
        self.some(size, |sizes| &sizes.trained)
    }

    /// A size to train at: in a mixture, all pairs of an algorithm and one of its sizes are equally likely.
    pub fn training_size(&self, stream: &mut Stream) -> u32 {
        match &self.algorithms {
            Algorithms::One(_) => *stream.choose(&self.knob.training),
            Algorithms::Mixture(sizes) => {
                let counted = (0..).zip(sizes).map(|(size, of_size)| (size, of_size.trained.len() as u64));
                let mut place = stream.below(counted.clone().map(|(_, count)| count).sum());
                let found = counted.clone().find(|(_, count)| {
                    let is_here = place < *count;
                    place = place.saturating_sub(*count);
                    is_here
                });
                found.map_or(self.knob.training[0], |(size, _)| size)
            }
        }
    }

    /// The size of an instance of algorithm `name`, relative to this algorithm's training sizes.
    pub fn token_size(&self, size: u32, name: &str) -> TokenSize {
        let is_trained = |of_size: &OfSize| of_size.trained.iter().any(|row| row.name == name);
        let trained: Vec<u32> = match &self.algorithms {
            Algorithms::One(_) => self.knob.training.clone(),
            Algorithms::Mixture(sizes) => {
                (0..).zip(sizes).filter(|(_, of_size)| is_trained(of_size)).map(|(size, _)| size).collect()
            }
        };
        match trained.first() {
            // Its instances are the same at every size.
            Some(first) if name == Algorithm::SegmentsIntersect.row().name => {
                TokenSize { size: *first, split: Split::InRange }
            }
            _ => TokenSize { size, split: Split::among(size, trained) },
        }
    }

    fn some(&self, size: u32, of: impl Fn(&OfSize) -> &Vec<&'static Row>) -> Result<&[&'static Row]> {
        let found = self.found(size, &of);
        if found.is_empty() {
            let has = |size: &u32| !self.found(*size, &of).is_empty();
            let sizes: Vec<u32> = (SMALLEST..=self.knob.maximum).filter(has).collect();
            let limit = match self.longest {
                usize::MAX => String::new(),
                tokens => format!(" of at most {tokens} tokens"),
            };
            let expected = format!("one of the sizes that have an algorithm{limit}, {}", ranges(&sizes));
            return Err(Error::invalid("size of clrs", expected, size));
        }
        Ok(found)
    }

    fn found(&self, size: u32, of: impl Fn(&OfSize) -> &Vec<&'static Row>) -> &[&'static Row] {
        match &self.algorithms {
            Algorithms::One(row) if longest(row, size as usize) <= self.longest => std::slice::from_ref(row),
            Algorithms::One(_) => &[],
            Algorithms::Mixture(sizes) => {
                sizes.get(size as usize).map(|sizes| of(sizes).as_slice()).unwrap_or_default()
            }
        }
    }
}

/// Ascending sizes as text: `4 to 12, 15, 19`.
fn ranges(sizes: &[u32]) -> String {
    let runs = sizes.chunk_by(|size, next| size + 1 == *next);
    let words = runs.map(|run| match run {
        [size] => size.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    });
    words.collect::<Vec<_>>().join(", ")
}
