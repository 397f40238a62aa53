//! Checks of a backbone.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::Sequence;
use super::cached;
use super::gradient::{check_gradient, gradients, weighted_sum};
use super::promise::Subject;
use super::reference::replace_rows;
use crate::backbone::{Backbone, BackboneContext, BackboneDeclaration, BeginContext, Start, StepContext};
use crate::error::Result;
use crate::initialise::Variables;
use crate::key_values::{HaltedKeysValues, KeyValues};
use crate::layout::{RowSet, TokenLayout};
use crate::parameters::{Parameters, Value};
use crate::policy::{Phase, Progress};
use crate::vocabulary::Vocabulary;

const VOCABULARY: usize = 7;

/// Tokens that are digits.
const DIGITS: [u32; 4] = [1, 2, 4, 6];
const LENGTHS: [usize; 4] = [5, 1, 7, 3];
/// How far numbers may be apart in f64, relative to 1 + their size.
const TOLERANCE: f64 = 1e-9;
/// Number of elements of each variable whose gradient is compared with a finite difference.
const ELEMENTS: usize = 2;
/// Steps of a check, D.
const STEPS: usize = 3;
/// Sizes that make a check fast, for the parameters that exist.
const TINY: [(&str, i64); 6] =
    [("d_model", 16), ("d_ff", 24), ("heads", 2), ("prelude_layers", 1), ("core_layers", 1), ("coda_layers", 1)];
/// Further settings to check, for the parameters that exist.
const VARIANTS: [&[(&str, i64)]; 5] = [
    &[],
    &[("core_layers", 2)],
    &[("prelude_layers", 0)],
    &[("coda_layers", 0)],
    &[("prelude_layers", 0), ("coda_layers", 0)],
];
/// What computes the tensors of a pass of D steps.
const PARTS_OF_A_PASS: [&str; STEPS + 2] = ["beginning", "step", "step", "step", "coda"];
/// Where a variable may live in a checkpoint.
const PARTS: [&str; 6] = ["embed_tokens", "prelude", "core", "coda", "norm", "lm_head"];

/// Checks that the backbone keeps the promises of its declaration and of the trait, with its default parameters; see
/// [`check_backbone_with`].
///
/// # Panics
/// If a promise is broken; the message names the backbone and the promise.
#[track_caller]
pub fn check_backbone(declaration: &'static BackboneDeclaration) {
    check_backbone_with(declaration, &[]);
}

/// Checks that the backbone keeps its promises with these parameters.
///
/// The checks, in f64 and at tiny sizes: texts and parameters; shapes and finite numbers; the same h(0) at every call
/// in the same training step; causality of `begin`, step and coda, if declared; independence of the other sequences of
/// a batch; a step on some rows equals the masked step on all rows, for every option of halted keys and values that
/// saves work; decoding with a cache equals a pass over all tokens, if causality is declared; a stationary step does
/// not depend on its number; the coda for some rows equals these rows of the coda for all; costs; names of variables; a
/// gradient for every variable; gradients against finite differences, dense and on a subset. With the parameters
/// `core_layers`, `prelude_layers` and `coda_layers`, the checks also run with a core of two layers and without prelude
/// or coda.
///
/// # Panics
/// If a promise is broken; the message names the backbone and the promise.
#[track_caller]
pub fn check_backbone_with(declaration: &'static BackboneDeclaration, given: &[(&str, Value)]) {
    let subject = Subject { kind: "backbone", name: declaration.name };
    subject.report(|| check_all(subject, declaration, given));
}

fn check_all(subject: Subject, declaration: &'static BackboneDeclaration, given: &[(&str, Value)]) {
    let texts = [
        ("summary", declaration.summary),
        ("documentation", declaration.documentation),
        ("reference", declaration.reference),
    ];
    subject.check_declaration(&texts, declaration.parameters);
    for variant in VARIANTS {
        let declared = |name: &str| declaration.parameters.iter().any(|spec| spec.name == name);
        if variant.iter().all(|(name, _)| declared(name)) {
            Setup::new(subject, declaration, variant, given).check();
        }
    }
}

/// A backbone with random weights and a batch.
struct Setup {
    subject: Subject,
    is_causal: bool,
    backbone: Box<dyn Backbone>,
    variables: Variables,
    sequences: Vec<Sequence>,
}

/// Sequences packed.
struct Packed {
    tokens: Tensor,
    layout: Arc<TokenLayout>,
}

impl Setup {
    fn new(
        subject: Subject,
        declaration: &BackboneDeclaration,
        variant: &[(&str, i64)],
        fixed: &[(&str, Value)],
    ) -> Self {
        let mut given = BTreeMap::new();
        for (name, size) in TINY {
            let spec = declaration.parameters.iter().find(|spec| spec.name == name);
            if spec.is_some_and(|spec| spec.admit(declaration.name, &Value::Integer(size)).is_ok()) {
                given.insert(name.to_owned(), Value::Integer(size));
            }
        }
        given.extend(variant.iter().map(|(name, size)| ((*name).to_owned(), Value::Integer(*size))));
        given.extend(fixed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let resolved = Parameters::resolve(declaration.name, declaration.parameters, &given);
        let parameters = subject.expect("a core of two layers and no prelude or coda are legal", resolved);
        let variables = Variables::new(5, DType::F64, &Device::Cpu);
        let vocabulary = Vocabulary { size: VOCABULARY, digits: &DIGITS };
        let context = BackboneContext { vocabulary, parameters: &parameters, variables: variables.builder() };
        let backbone = subject.expect("it can be built at tiny sizes", (declaration.build)(&context));
        let sequences =
            LENGTHS.iter().zip(0..).map(|(length, name)| Sequence::random(name, *length, VOCABULARY, 5)).collect();
        Self { subject, is_causal: declaration.causal, backbone, variables, sequences }
    }

    fn check(&self) {
        let packed = self.packed(&self.sequences);
        self.shapes(&packed);
        self.starts(&packed);
        self.isolation(&packed);
        if self.is_causal {
            self.causality(&packed);
        }
        for option in [HaltedKeysValues::FreezeState, HaltedKeysValues::LatestKv, HaltedKeysValues::Skip] {
            self.subsets(&packed, option);
            if self.is_causal && !self.backbone.reads_earlier_tokens() {
                cached::check(&self.subject, self.backbone.as_ref(), &self.sequences, (option, TOLERANCE));
            }
        }
        self.stationary(&packed);
        self.readout(&packed);
        self.costs();
        self.names();
        self.reach(&packed);
        for (promise, halting) in [
            ("gradients are those of finite differences", false),
            ("gradients of a step on some rows are those of finite differences", true),
        ] {
            check_gradient(&self.subject, promise, &self.variables, ELEMENTS, &|| {
                // More steps have so large second derivatives that a difference is no gradient any more.
                let logits = self.stages(&packed, halting, 2)?.pop();
                logits.map_or_else(|| Ok(Tensor::zeros((), DType::F64, &Device::Cpu)?), |logits| weighted_sum(&logits))
            });
        }
    }

    fn packed(&self, sequences: &[Sequence]) -> Packed {
        let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.tokens.len()).collect();
        let names: Vec<u64> = sequences.iter().map(|sequence| sequence.identity).collect();
        let tokens: Vec<u32> = sequences.iter().flat_map(|sequence| sequence.tokens.iter().copied()).collect();
        let layout = self.subject.expect("sequences can be packed", TokenLayout::new(&lengths, &names));
        let tokens = Tensor::new(tokens, &Device::Cpu).map_err(Into::into);
        Packed { tokens: self.subject.expect("sequences can be packed", tokens), layout: Arc::new(layout) }
    }

    /// The states after 0, 1, ..., `steps` steps and the logits; with `halting`, some tokens halt after the first step and
    /// the later ones are computed for the others alone.
    fn stages(&self, packed: &Packed, halting: bool, steps: usize) -> Result<Vec<Tensor>> {
        let rows = packed.layout.rows();
        let all = RowSet::all(rows);
        let mut key_values = self.memory(HaltedKeysValues::FreezeState, rows);
        let Start { states: start, input } = self.begin(packed)?;
        key_values.begin_dense(&all, &vec![false; rows], &start)?;
        let mut states = self.step(1, packed, &all, (&start, input.as_ref()), &mut key_values)?;
        let mut stages = vec![start, states.clone()];
        let halted: Vec<bool> = (0..rows).map(|row| halting && row % 3 == 1).collect();
        let running = RowSet::from_mask(&halted.iter().map(|halted| !halted).collect::<Vec<_>>());
        for step in 2..=steps {
            let settled = halted.iter().map(|halted| *halted && (step == 2 || self.backbone.own_steps().is_some()));
            let settled = RowSet::from_mask(&settled.collect::<Vec<_>>());
            key_values.begin_compacted(&running, &settled, &halted, &states)?;
            let shown = running.select(&states)?;
            let moved = self.step(step, packed, &running, (&shown, input.as_ref()), &mut key_values)?;
            states = replace_rows(&states, &running, &moved)?;
            stages.push(states.clone());
        }
        stages.push(self.backbone.coda(&states, &packed.layout, &all, None)?);
        Ok(stages)
    }

    fn memory(&self, option: HaltedKeysValues, rows: usize) -> KeyValues {
        KeyValues::new(option, self.backbone.dimensions().core_layers, rows)
    }

    fn begin(&self, packed: &Packed) -> Result<Start> {
        self.backbone.begin(&packed.tokens, &mut BeginContext { max_depth: STEPS, ..BeginContext::new(&packed.layout) })
    }

    /// A step on `rows` with these states; `input` holds the input of all rows.
    fn step(
        &self,
        step: usize,
        packed: &Packed,
        rows: &RowSet,
        (states, input): (&Tensor, Option<&Tensor>),
        key_values: &mut KeyValues,
    ) -> Result<Tensor> {
        let input = input.map(|input| rows.select(input)).transpose()?;
        let context = StepContext::new(step, &packed.layout, rows, key_values).with_input(input.as_ref());
        self.backbone.step(states, &mut StepContext { max_depth: STEPS, ..context })
    }

    fn shapes(&self, packed: &Packed) {
        let stages = self.subject.expect("it runs D steps", self.stages(packed, false, STEPS));
        let (rows, sizes) = (packed.layout.rows(), self.backbone.dimensions());
        self.subject.demand("it reads the vocabulary it was given", sizes.vocabulary == VOCABULARY, || {
            format!("{} tokens instead of {VOCABULARY}", sizes.vocabulary)
        });
        for (what, stage) in PARTS_OF_A_PASS.iter().zip(&stages) {
            let width = if *what == "coda" { VOCABULARY } else { sizes.d_model };
            let promise = format!("its {what} gives [{rows}, {width}]");
            self.subject.demand(&promise, stage.dims() == [rows, width], || format!("{:?}", stage.dims()));
            let finite = self.subject.expect(&promise, numbers(stage)).iter().flatten().all(|x| x.is_finite());
            self.subject.demand(&format!("its {what} is finite"), finite, || "a number is not".to_owned());
        }
    }

    /// h(0) is the same for the same seed and training step, and has the shape of the input.
    fn starts(&self, packed: &Packed) {
        let rows: Vec<(usize, usize)> = (0..packed.layout.rows()).map(|row| (row, row)).collect();
        for phase in [Phase::Evaluation, Phase::Training(Progress { step: 3, total: 9 })] {
            let promise = "it begins alike whenever it is asked under the same seed in the same training step";
            let begin = || {
                let mut context =
                    BeginContext { max_depth: STEPS, phase, seed: 4, ..BeginContext::new(&packed.layout) };
                self.subject.expect(promise, self.backbone.begin(&packed.tokens, &mut context))
            };
            let (first, again) = (begin(), begin());
            self.equal(promise, &first.states, &again.states, &rows);
            if let Some(input) = &first.input {
                let alike = input.dims() == first.states.dims();
                let found = || format!("{:?} against {:?}", input.dims(), first.states.dims());
                self.subject.demand("its input has the shape of its states", alike, found);
            }
        }
    }

    /// A stationary step does not depend on its number.
    fn stationary(&self, packed: &Packed) {
        if !self.backbone.is_stationary() {
            return;
        }
        let promise = "a step that is stationary does not depend on its number, on D, on the phase or on the seed";
        let stepped = |step: usize, phase: Phase| -> Result<Tensor> {
            let rows = packed.layout.rows();
            let all = RowSet::all(rows);
            let mut key_values = self.memory(HaltedKeysValues::FreezeState, rows);
            let Start { states, input } = self.begin(packed)?;
            key_values.begin_dense(&all, &vec![false; rows], &states)?;
            let context = StepContext::new(step, &packed.layout, &all, &mut key_values).with_input(input.as_ref());
            self.backbone.step(&states, &mut StepContext { phase, seed: step as u64, ..context })
        };
        let first = self.subject.expect(promise, stepped(1, Phase::Evaluation));
        let later = self.subject.expect(promise, stepped(STEPS, Phase::Training(Progress { step: 1, total: 9 })));
        let rows: Vec<(usize, usize)> = (0..packed.layout.rows()).map(|row| (row, row)).collect();
        self.equal(promise, &first, &later, &rows);
    }

    /// Every sequence alone gives what it gives in a batch.
    fn isolation(&self, packed: &Packed) {
        let together = self.subject.expect("it runs D steps", self.stages(packed, false, STEPS));
        for (index, sequence) in self.sequences.iter().enumerate() {
            let alone = self.packed(std::slice::from_ref(sequence));
            let alone = self.subject.expect("it runs on one sequence", self.stages(&alone, false, STEPS));
            for (together, alone) in together.iter().zip(&alone) {
                let rows = packed.layout.rows_of(index).enumerate();
                let pairs: Vec<(usize, usize)> = rows.map(|(position, row)| (row, position)).collect();
                self.equal("a sequence does not depend on the others in its batch", together, alone, &pairs);
            }
        }
    }

    /// A changed suffix changes nothing before it, in any part.
    fn causality(&self, packed: &Packed) {
        let whole = self.subject.expect("it runs D steps", self.stages(packed, false, STEPS));
        for cut in [1, 2, 4] {
            let changed: Vec<Sequence> = (self.sequences.iter())
                .map(|sequence| sequence.with_another_suffix(cut.min(sequence.tokens.len()), VOCABULARY))
                .collect();
            let changed = self.packed(&changed);
            let changed = self.subject.expect("it runs D steps", self.stages(&changed, false, STEPS));
            let before = (0..packed.layout.rows()).filter(|row| packed.layout.position(*row) < cut);
            let pairs: Vec<(usize, usize)> = before.map(|row| (row, row)).collect();
            for ((part, whole), changed) in PARTS_OF_A_PASS.iter().zip(&whole).zip(&changed) {
                let promise = format!("its {part} is causal: no suffix changes what is before it");
                self.equal(&promise, whole, changed, &pairs);
            }
        }
    }

    /// Three steps, in which tokens halt after the first and after the second: on the running rows alone, and on all
    /// rows under a mask.
    fn subsets(&self, packed: &Packed, option: HaltedKeysValues) {
        let promise = format!("a step on some rows equals the masked step on all, under {}", option.name());
        let rows = packed.layout.rows();
        let halted_after = |row: usize| {
            if row % 3 == 1 {
                1
            } else if row % 4 == 2 {
                2
            } else {
                3
            }
        };
        let unroll = |compacted: bool| -> Result<Vec<Tensor>> {
            let mut key_values = self.memory(option, rows);
            let Start { mut states, input } = self.begin(packed)?;
            let mut stages = Vec::new();
            for step in 1..=STEPS {
                let halted: Vec<bool> = (0..rows).map(|row| halted_after(row) < step).collect();
                let is_settled = |row: usize| match self.backbone.own_steps().is_some() {
                    true => halted_after(row) < step,
                    false => halted_after(row) + 1 == step,
                };
                let settled: Vec<bool> = (0..rows).map(is_settled).collect();
                let running = RowSet::from_mask(&halted.iter().map(|halted| !halted).collect::<Vec<_>>());
                let moved = if compacted {
                    key_values.begin_compacted(&running, &RowSet::from_mask(&settled), &halted, &states)?;
                    let shown = running.select(&states)?;
                    self.step(step, packed, &running, (&shown, input.as_ref()), &mut key_values)?
                } else {
                    let all = RowSet::all(rows);
                    key_values.begin_dense(&all, &halted, &states)?;
                    running.select(&self.step(step, packed, &all, (&states, input.as_ref()), &mut key_values)?)?
                };
                states = replace_rows(&states, &running, &moved)?;
                stages.push(states.clone());
            }
            Ok(stages)
        };
        let (dense, compacted) =
            (self.subject.expect(&promise, unroll(false)), self.subject.expect(&promise, unroll(true)));
        let pairs: Vec<(usize, usize)> = (0..rows).map(|row| (row, row)).collect();
        for (dense, compacted) in dense.iter().zip(&compacted) {
            self.equal(&promise, dense, compacted, &pairs);
        }
    }

    /// The coda for some rows equals these rows of the coda for all rows.
    fn readout(&self, packed: &Packed) {
        let promise = "the coda for some rows gives these rows of the whole";
        let stages = self.subject.expect("it runs D steps", self.stages(packed, false, STEPS));
        let wanted = RowSet::from_mask(&(0..packed.layout.rows()).map(|row| row % 5 < 2).collect::<Vec<_>>());
        let some = self.subject.expect(promise, self.backbone.coda(&stages[STEPS], &packed.layout, &wanted, None));
        let shape = [wanted.len(), VOCABULARY];
        self.subject
            .demand(promise, some.dims() == shape, || format!("the shape {:?}, expected {shape:?}", some.dims()));
        let pairs: Vec<(usize, usize)> = wanted.iter().enumerate().map(|(place, row)| (row, place)).collect();
        self.equal(promise, &stages[STEPS + 1], &some, &pairs);
    }

    fn costs(&self) {
        let cost = self.backbone.cost();
        let parts = [cost.prelude, cost.step, cost.coda, cost.readout];
        let numbers = parts.iter().flat_map(|part| [part.per_row, part.per_key, part.per_key_value]);
        let legal = { numbers }.all(|number| number.is_finite() && number >= 0.0);
        self.subject.demand("its costs are finite and not negative", legal, || format!("{cost:?}"));
        let charged = cost.step.per_row > 0.0 && cost.readout.per_row > 0.0;
        self.subject.demand("a step and a read-out cost something", charged, || format!("{cost:?}"));
    }

    fn names(&self) {
        for (name, _) in self.variables.all() {
            let part = name.split('.').next().unwrap_or_default();
            let promise = format!("its variables are named inside {}", PARTS.join(", "));
            self.subject.demand(&promise, PARTS.contains(&part), || format!("`{name}`"));
        }
    }

    /// Every variable affects the result: a cut gradient raises no error, but leaves weights untrained.
    fn reach(&self, packed: &Packed) {
        let promise = "every variable has a gradient other than zero";
        let logits = self.subject.expect(promise, self.stages(packed, false, STEPS)).pop();
        let Some(logits) = logits else { return };
        let all = self.variables.all();
        let value = self.subject.expect(promise, weighted_sum(&logits));
        for ((name, _), gradient) in all.iter().zip(self.subject.expect(promise, gradients(&value, &all))) {
            self.subject.demand(promise, gradient.iter().any(|number| *number != 0.0), || format!("not `{name}`"));
        }
    }

    /// Checks that the rows of `left` and `right` in `pairs` hold the same numbers.
    #[track_caller]
    fn equal(&self, promise: &str, left: &Tensor, right: &Tensor, pairs: &[(usize, usize)]) {
        let (left, right) = (self.subject.expect(promise, numbers(left)), self.subject.expect(promise, numbers(right)));
        for (row, other) in pairs {
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * (1.0 + a.abs());
            self.subject.demand(promise, left[*row].iter().zip(&right[*other]).all(near), || {
                format!("row {row} begins with {:.6?} and with {:.6?}", &left[*row][..2], &right[*other][..2])
            });
        }
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<Vec<f64>>> {
    Ok(tensor.to_dtype(DType::F64)?.to_vec2()?)
}
