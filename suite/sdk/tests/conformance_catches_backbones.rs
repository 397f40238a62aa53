//! The conformance kit catches backbones that break their contract, and names the promise.

use std::panic::catch_unwind;
use std::sync::Arc;

use haltbench_sdk::conformance::{MINIATURE, check_backbone};
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::prelude::*;

/// The flaw of a miniature.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// A step adds the mean of the batch.
    Mixes,
    /// A step adds the last state of the sequence.
    LooksAhead,
    /// A step forgets the keys and values of the rows that do not run.
    Forgets,
    /// The coda returns the first rows instead of the requested ones.
    Misreads,
    /// The coda stops the gradient.
    Detaches,
    /// A step costs nothing.
    Free,
    /// The prelude sees only the new tokens.
    ForgetsPrompt,
    /// The coda sees only the new tokens.
    ReadsNewest,
    /// h(0) holds the last token of the sequence.
    Peeks,
    /// h(0) depends on the place in the batch.
    Rolls,
    /// A step that claims to be stationary adds its number.
    Ages,
}

struct Flawed {
    inner: Box<dyn Backbone>,
    flaw: Flaw,
}

impl Backbone for Flawed {
    fn dimensions(&self) -> Dimensions {
        self.inner.dimensions()
    }

    fn is_stationary(&self) -> bool {
        self.flaw == Flaw::Ages
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        match self.flaw {
            Flaw::ForgetsPrompt => self.inner.begin(tokens, &mut BeginContext::new(context.layout)),
            Flaw::Peeks => {
                let states = self.inner.begin(tokens, context)?.states;
                let last = states.index_select(&last_rows(context.layout, states.device())?, 0)?;
                Ok((states + last)?.into())
            }
            Flaw::Rolls => {
                let states = self.inner.begin(tokens, context)?.states;
                let rows: Vec<f64> = (0..states.dim(0)?).map(|row| row as f64).collect();
                Ok(states.broadcast_add(&Tensor::new(rows, states.device())?.unsqueeze(1)?)?.into())
            }
            _ => self.inner.begin(tokens, context),
        }
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        if self.flaw == Flaw::Forgets {
            let mut fresh = KeyValues::new(Default::default(), self.dimensions().core_layers, context.layout.rows());
            let padded = context.rows.tensor(states.device())?;
            let all = Tensor::zeros((context.layout.rows(), states.dim(1)?), states.dtype(), states.device())?;
            let rows = RowSet::all(context.layout.rows());
            let mut alone = StepContext::new(context.step, context.layout, &rows, &mut fresh);
            let states = self.inner.step(&all.index_add(&padded, states, 0)?, &mut alone)?;
            return context.rows.select(&states);
        }
        let result = self.inner.step(states, context)?;
        match self.flaw {
            Flaw::Ages => Ok((result + context.step as f64)?),
            Flaw::Mixes => Ok(result.broadcast_add(&states.mean_keepdim(0)?)?),
            Flaw::LooksAhead if context.rows.is_all() => {
                Ok((result + states.index_select(&last_rows(context.layout, states.device())?, 0)?)?)
            }
            _ => Ok(result),
        }
    }

    fn coda(
        &self,
        states: &Tensor,
        layout: &Arc<TokenLayout>,
        readout: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        match self.flaw {
            Flaw::Misreads => {
                let first: Vec<bool> = (0..readout.total()).map(|row| row < readout.len()).collect();
                self.inner.coda(states, layout, &RowSet::from_mask(&first), cache)
            }
            Flaw::ReadsNewest => self.inner.coda(states, layout, readout, None),
            Flaw::Detaches => self.inner.coda(&states.detach(), layout, readout, cache),
            _ => self.inner.coda(states, layout, readout, cache),
        }
    }

    fn cost(&self) -> BackboneCost {
        let cost = self.inner.cost();
        if self.flaw == Flaw::Free { BackboneCost { step: PartCost::default(), ..cost } } else { cost }
    }
}

/// For every row, the last row of its sequence.
fn last_rows(layout: &TokenLayout, device: &Device) -> Result<Tensor> {
    let last = |row: usize| layout.rows_of(layout.sequence(row)).end as u32 - 1;
    Ok(Tensor::new((0..layout.rows()).map(last).collect::<Vec<u32>>(), device)?)
}

fn flawed(context: &BackboneContext, flaw: Flaw) -> Result<Box<dyn Backbone>> {
    Ok(Box::new(Flawed { inner: (MINIATURE.build)(context)?, flaw }))
}

const FLAWED: BackboneDeclaration = BackboneDeclaration {
    summary: "A miniature with a flaw.",
    documentation: "See the test.",
    reference: "none",
    parameters: MINIATURE_PARAMETERS,
    ..BackboneDeclaration::new("flawed", |context| flawed(context, Flaw::None))
};

/// The parameters of the miniature.
const MINIATURE_PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::integer("d_model", 16, (4, 64), "width of a token state"),
    ParameterSpec::integer("d_ff", 24, (1, 256), "width of the feed-forward layers"),
    ParameterSpec::integer("core_layers", 1, (1, 2), "layers of the recurrent core"),
];

fn caught(declaration: &'static BackboneDeclaration, promise: &str) {
    let panic = catch_unwind(|| check_backbone(declaration)).expect_err("the kit lets it pass");
    let complaint = panic.downcast_ref::<String>().expect("the kit panics with a text");
    assert!(complaint.contains("`flawed`") && complaint.contains(promise), "{complaint}");
}

#[test]
fn a_backbone_that_keeps_its_promises_passes() {
    static DECLARATION: BackboneDeclaration = FLAWED;
    check_backbone(&DECLARATION);
}

#[test]
fn a_mixture_over_the_batch() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Mixes), ..FLAWED };
    caught(&DECLARATION, "a sequence does not depend on the others in its batch");
}

#[test]
fn a_look_ahead() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::LooksAhead), ..FLAWED };
    caught(&DECLARATION, "its step is causal");
}

#[test]
fn a_look_ahead_that_is_declared_passes() {
    static SILENT: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Peeks), ..FLAWED };
    caught(&SILENT, "its beginning is causal");
    static DECLARED: BackboneDeclaration =
        BackboneDeclaration { causal: false, build: |context| flawed(context, Flaw::Peeks), ..FLAWED };
    check_backbone(&DECLARED);
}

#[test]
fn a_beginning_that_depends_on_the_place_in_the_batch() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Rolls), ..FLAWED };
    caught(&DECLARATION, "a sequence does not depend on the others in its batch");
}

#[test]
fn a_stationary_step_that_reads_its_number() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Ages), ..FLAWED };
    caught(&DECLARATION, "a step that is stationary does not depend on its number");
}

#[test]
fn keys_and_values_that_are_forgotten() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Forgets), ..FLAWED };
    caught(&DECLARATION, "a step on some rows equals the masked step on all, under freeze-state");
}

#[test]
fn the_wrong_rows_read_out() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Misreads), ..FLAWED };
    caught(&DECLARATION, "the coda for some rows gives these rows of the whole");
}

#[test]
fn a_gradient_that_stops() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Detaches), ..FLAWED };
    caught(&DECLARATION, "every variable has a gradient other than zero");
}

#[test]
fn a_prompt_that_is_forgotten() {
    static PRELUDE: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::ForgetsPrompt), ..FLAWED };
    caught(&PRELUDE, "new tokens against a cache give what all tokens give at once");
    static CODA: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::ReadsNewest), ..FLAWED };
    caught(&CODA, "new tokens against a cache give what all tokens give at once");
}

#[test]
fn a_step_for_nothing() {
    static DECLARATION: BackboneDeclaration =
        BackboneDeclaration { build: |context| flawed(context, Flaw::Free), ..FLAWED };
    caught(&DECLARATION, "a step and a read-out cost something");
}

#[test]
fn variables_outside_the_known_parts() {
    static DECLARATION: BackboneDeclaration = BackboneDeclaration {
        build: |context| {
            let variables = context.variables.pp("extra");
            flawed(
                &BackboneContext { vocabulary: context.vocabulary, parameters: context.parameters, variables },
                Flaw::None,
            )
        },
        ..FLAWED
    };
    caught(&DECLARATION, "its variables are named inside embed_tokens");
}
