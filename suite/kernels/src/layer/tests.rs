use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use super::{Backward, LayerPass, LayerWeights, attend, keys_values};
use crate::testing::{agree, agree_without_differences, values};
use crate::{AttentionPlan, RopeTable};

const WIDTH: usize = 8;
const HIDDEN: usize = 6;
const HEADS: usize = 2;
const EPSILON: f64 = 1e-5;

/// States of nine tokens in three sequences, and the six weights.
fn operands() -> Vec<Tensor> {
    let shapes: [&[usize]; 7] =
        [&[9, WIDTH], &[WIDTH], &[3 * WIDTH, WIDTH], &[WIDTH, WIDTH], &[WIDTH], &[2 * HIDDEN, WIDTH], &[WIDTH, HIDDEN]];
    shapes.iter().zip(30..).map(|(shape, seed)| values(shape, seed)).collect()
}

fn pass(x: &[Tensor]) -> Result<LayerPass> {
    let weights = LayerWeights {
        input_norm: x[1].clone(),
        query_key_value: x[2].clone(),
        output: x[3].clone(),
        feed_forward_norm: x[4].clone(),
        gate_up: x[5].clone(),
        down: x[6].clone(),
    };
    LayerPass::new(&weights, HEADS, EPSILON, &Arc::new(RopeTable::new(WIDTH / HEADS, 10_000.0)))
}

/// All nine rows.
fn every() -> Vec<u32> {
    (0..9).collect()
}

/// Where these rows stand in sequences of three, one and five tokens.
fn positions(rows: &[u32]) -> Arc<Vec<u32>> {
    Arc::new(rows.iter().map(|row| [0, 1, 2, 0, 0, 1, 2, 3, 4][*row as usize]).collect())
}

struct Case {
    rows: Vec<u32>,
    plan: Arc<AttentionPlan>,
}

impl Case {
    fn new(rows: Vec<u32>, visible: Option<&Arc<Vec<bool>>>) -> Self {
        let plan = AttentionPlan::new(&[0, 3, 4, 9][..], &rows, visible);
        Self { rows, plan }
    }

    /// The layer applied `times` times to the rows, as operations that are differentiated in this way, or composed.
    fn run(&self, x: &[Tensor], times: usize, fused: Option<Backward>) -> Result<Tensor> {
        let pass = pass(x)?;
        let (all, some) = (positions(&every()), positions(&self.rows));
        let mut states = x[0].clone();
        for _ in 0..times {
            let queries = states.index_select(&Tensor::new(&self.rows[..], states.device())?, 0)?;
            let new = if let Some(backward) = fused {
                let keys_values = pass.keys_values(&states, &all, None)?;
                pass.attend(&queries, &keys_values, &some, &self.plan, backward)?
            } else {
                let keys_values = keys_values::composed(&pass.layer, &states, &all)?;
                attend::composed(&pass.layer, &queries, &keys_values, &some, &self.plan)?
            };
            states = if self.rows.len() == 9 { new } else { Tensor::cat(&[new, states], 0)?.narrow(0, 0, 9)? };
        }
        Ok(states)
    }
}

#[test]
fn equals_its_composition_and_finite_differences() {
    let some = vec![1, 2, 4, 7, 8];
    let hidden = Arc::new(vec![true, false, true, true, false, true, false, true, false]);
    for (rows, visible) in [(every(), None), (some.clone(), None), (some, Some(&hidden))] {
        let case = Case::new(rows, visible);
        let (fused, again) = (Backward::default(), Backward { recompute: true, ..Backward::default() });
        let run = |fused, times| {
            let case = &case;
            move |x: &[Tensor]| case.run(x, times, fused)
        };
        agree(&operands(), run(Some(fused), 1), run(None, 1));
        // Weights that are used several times receive the sum of their gradients.
        agree_without_differences(&operands(), run(Some(fused), 3), run(None, 3));
        agree_without_differences(&operands(), run(Some(again), 3), run(None, 3));
    }
}

/// Three steps of keys and values: rows 1, 2 and 5 move before the second, rows 2 and 8 before the third.
#[test]
fn what_is_known_is_copied_and_differentiated_as_though_computed() {
    let positions = positions(&every());
    let steps: [Arc<[u32]>; 2] = [Arc::new([1, 2, 5]), Arc::new([2, 8])];
    let rest = &operands()[3..];
    for detached in [false, true] {
        let run = |x: &[Tensor], fused: bool| {
            let rest = rest.iter().map(|tensor| tensor.to_dtype(x[0].dtype()).unwrap());
            let pass = pass(&x.iter().cloned().chain(rest).collect::<Vec<Tensor>>())?;
            let of = |states: &Tensor, known: Option<(&Tensor, &Arc<[u32]>)>| match fused {
                true => pass.keys_values(states, &positions, known),
                false => keys_values::composed(&pass.layer, states, &positions),
            };
            let mut states = x[0].clone();
            let mut all = vec![of(&states, None)?];
            for moved in &steps {
                states = crate::replace_rows(&states, moved, &crate::gather_rows(&states, moved)?.sqr()?)?;
                let known = all.last().unwrap();
                // What is wrong in the known values of rows that moved must not matter.
                let wrong = Tensor::ones((moved.len(), 2 * WIDTH), x[0].dtype(), x[0].device())?;
                let spoilt = crate::replace_rows(known, moved, &wrong)?;
                let known = if detached { spoilt.detach() } else { spoilt };
                all.push(of(&states, Some((&known, moved)))?);
            }
            Tensor::cat(&all, 0)
        };
        agree_without_differences(&operands()[..3], |x| run(x, true), |x| run(x, false));
    }
}

#[test]
fn what_another_graph_knows_is_refused() {
    let positions = positions(&every());
    let x: Vec<Tensor> = operands().iter().map(|x| candle_core::Var::from_tensor(x).unwrap().into_inner()).collect();
    let known = pass(&x).unwrap().keys_values(&x[0], &positions, None).unwrap();
    let moved: Arc<[u32]> = Arc::new([1, 2, 5]);
    let result = pass(&x).unwrap().keys_values(&x[0], &positions, Some((&known, &moved))).unwrap();
    let message = result.sum_all().unwrap().backward().err().unwrap().to_string();
    assert!(message.contains("earlier step of the same graph"), "{message}");
}

#[test]
fn rows_without_a_gradient_need_no_backward_pass() {
    let case = Case::new(every(), None);
    let positions = positions(&case.rows);
    for (places, recompute) in
        [(vec![0u32, 3, 4, 8], false), (vec![0, 3, 4, 8], true), (vec![], false), ((0..9).collect(), true)]
    {
        let mask: Vec<f64> = (0..9).map(|row| f64::from(u8::from(places.contains(&row)))).collect();
        let places: Arc<[u32]> = places.into();
        let run = |x: &[Tensor], backward: Backward| -> Result<Tensor> {
            let pass = pass(x)?;
            let keys_values = pass.keys_values(&x[0], &positions, None)?;
            let result = pass.attend(&x[0], &keys_values, &positions, &case.plan, backward)?;
            let mask = Tensor::new(mask.as_slice(), x[0].device())?.to_dtype(x[0].dtype())?.unsqueeze(1)?;
            // The other rows are used without their gradient, as a gate does.
            let rest = result.detach().broadcast_mul(&mask.affine(-1.0, 1.0)?)?;
            result.broadcast_mul(&mask)? + rest
        };
        agree_without_differences(
            &operands(),
            |x| run(x, Backward { places: Some(&places), recompute }),
            |x| run(x, Backward::default()),
        );
    }
}

#[test]
fn wrong_shapes_are_refused() {
    let mut x = operands();
    x[5] = values(&[HIDDEN, WIDTH], 1).to_dtype(DType::F64).unwrap();
    assert!(pass(&x).err().unwrap().to_string().contains("gate_up"));
}
