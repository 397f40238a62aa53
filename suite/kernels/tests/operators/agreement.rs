//! Replays an operation on operands in every layout, beside its composition.

use std::sync::OnceLock;

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::normals::normals;

/// What an operation's shapes are made of: rows, width, and a third number where it has a use for one.
pub type Size = [usize; 3];

/// An operation and the composition that it must equal.
pub struct Operation {
    pub name: &'static str,
    pub sizes: &'static [Size],
    /// Shapes of the operands.
    pub operands: fn(Size) -> Vec<Vec<usize>>,
    pub fused: fn(&[Tensor], Size) -> Result<Tensor>,
    pub composed: fn(&[Tensor], Size) -> Result<Tensor>,
    pub gradients: Gradients,
}

/// How an operation's gradients are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gradients {
    /// Against those of the composition and against finite differences.
    Exact,
    /// Against those of the composition: a hard gate's are by design not those of what it computes.
    Estimated,
    /// It has none. Its operands are positive.
    None,
}

/// How an operand lies in the memory of its leaf.
#[derive(Debug, Clone, Copy)]
enum View {
    Whole,
    /// Columns of the leaf are rows of the operand.
    Transposed,
    /// Some rows from the middle: in one piece, but not from the start.
    Rows,
    /// Some columns from the middle: with gaps.
    Columns,
}

const VIEWS: [View; 4] = [View::Whole, View::Transposed, View::Rows, View::Columns];

impl View {
    /// Shape of the leaf for an operand of this shape.
    fn leaf(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Self::Whole, _) => shape.to_vec(),
            (Self::Rows, [rows, rest @ ..]) => [&[rows + 3], rest].concat(),
            (Self::Transposed, [rows, columns]) => vec![*columns, *rows],
            // One row more, since candle itself cannot read a view that begins behind the end of its memory.
            (Self::Columns, [rows, columns]) => vec![rows + 1, columns + 3],
            (_, [count]) => vec![count + 1, 3],
            _ => unreachable!("operands are vectors and matrices"),
        }
    }

    fn of(self, leaf: &Tensor, shape: &[usize]) -> Tensor {
        let view = match (self, shape) {
            (Self::Whole, _) => Ok(leaf.clone()),
            (Self::Rows, [rows, ..]) => leaf.narrow(0, 2, *rows),
            (Self::Transposed, [_, _]) => leaf.t(),
            (Self::Columns, [rows, columns]) => leaf.narrow(1, 1, *columns).and_then(|view| view.narrow(0, 0, *rows)),
            (_, _) => leaf.narrow(1, 1, 1).and_then(|column| column.squeeze(1)?.narrow(0, 0, shape[0])),
        };
        let view = view.unwrap();
        assert_eq!(view.dims(), shape);
        view
    }
}

/// How the gradient of the result arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Whole,
    /// As a transpose, if the result is a matrix.
    Transposed,
    /// As one number that stands for all.
    Repeated,
}

const ARRIVALS: [Arrival; 3] = [Arrival::Whole, Arrival::Transposed, Arrival::Repeated];

impl Arrival {
    /// A sum whose weights lose no direction.
    fn loss(self, result: &Tensor) -> Result<Tensor> {
        // candle cannot add up nothing on a GPU.
        if result.elem_count() == 0 && !result.device().is_cpu() {
            return Tensor::zeros((), result.dtype(), result.device());
        }
        let weighted = |result: &Tensor| {
            let weights = numbers_of(result.dims(), 99, false);
            (result * Tensor::from_vec(weights, result.shape(), result.device())?.to_dtype(result.dtype())?)?.sum_all()
        };
        match self {
            Self::Repeated => result.sum_all(),
            Self::Transposed if result.rank() == 2 => weighted(&result.t()?),
            _ => weighted(result),
        }
    }
}

fn numbers_of(shape: &[usize], seed: u64, positive: bool) -> Vec<f64> {
    let numbers = normals(shape.iter().product(), seed, "operators").into_iter();
    numbers.map(|number| if positive { number.abs() } else { number }).collect()
}

/// Where operations run that are held against compositions on the CPU: there too, or on the first GPU if
/// `HALTBENCH_TEST_DEVICE` is `cuda:0`.
pub fn device() -> Device {
    // Tensors of a GPU that was opened twice would not mix.
    static OPENED: OnceLock<Device> = OnceLock::new();
    let open = || match std::env::var("HALTBENCH_TEST_DEVICE").as_deref() {
        Ok("cuda:0") => Device::new_cuda(0).unwrap(),
        Ok(other) => panic!("HALTBENCH_TEST_DEVICE: expected cuda:0, found {other}"),
        Err(_) => Device::Cpu,
    };
    OPENED.get_or_init(open).clone()
}

pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// One replay: the operands of an operation as they lie in memory.
struct Replay<'a> {
    operation: &'a Operation,
    size: Size,
    views: Vec<View>,
    arrival: Arrival,
    dtype: DType,
}

/// What came out: the result, the gradients of the leaves, the loss.
struct Outcome {
    shape: Vec<usize>,
    value: Vec<f64>,
    gradients: Vec<Vec<f64>>,
    loss: f64,
}

impl Replay<'_> {
    fn label(&self) -> String {
        let Self { operation, size, views, arrival, dtype } = self;
        format!("{} {size:?} of {dtype:?}, operands {views:?}, gradient {arrival:?}", operation.name)
    }

    /// Leaves of the operands: all their numbers are random, those that no operand shows too.
    fn leaves(&self) -> Vec<(Vec<usize>, Vec<f64>)> {
        let shapes = (self.operation.operands)(self.size);
        let positive = self.operation.gradients == Gradients::None;
        let leaf = |((shape, view), seed): ((&Vec<usize>, &View), u64)| {
            let shape = view.leaf(shape);
            let numbers = numbers_of(&shape, seed, positive);
            (shape, numbers)
        };
        shapes.iter().zip(&self.views).zip(1..).map(leaf).collect()
    }

    fn run(
        &self,
        leaves: &[(Vec<usize>, Vec<f64>)],
        function: fn(&[Tensor], Size) -> Result<Tensor>,
        (differentiate, device): (bool, &Device),
    ) -> Outcome {
        let shapes = (self.operation.operands)(self.size);
        let variable = |(shape, numbers): &(Vec<usize>, Vec<f64>)| {
            let leaf = Tensor::from_slice(numbers, shape.as_slice(), &Device::Cpu).unwrap();
            Var::from_tensor(&leaf.to_dtype(self.dtype).unwrap().to_device(device).unwrap()).unwrap()
        };
        let variables: Vec<Var> = leaves.iter().map(variable).collect();
        let show = |((variable, view), shape): ((&Var, &View), &Vec<usize>)| view.of(variable.as_tensor(), shape);
        let operands: Vec<Tensor> = variables.iter().zip(&self.views).zip(&shapes).map(show).collect();
        let result = function(&operands, self.size).unwrap_or_else(|error| panic!("{}: {error}", self.label()));
        let loss = self.arrival.loss(&result).unwrap();
        let mut gradients = Vec::new();
        if differentiate {
            let store = loss.backward().unwrap_or_else(|error| panic!("{}: {error}", self.label()));
            // What does not depend on a leaf has no gradient for it.
            let gradient = |variable: &Var| match store.get(variable) {
                Some(gradient) => {
                    assert_eq!(gradient.dims(), variable.dims(), "{}", self.label());
                    numbers(gradient)
                }
                None => vec![0.0; variable.elem_count()],
            };
            gradients = variables.iter().map(gradient).collect();
        }
        Outcome { shape: result.dims().to_vec(), value: numbers(&result), gradients, loss: numbers(&loss)[0] }
    }

    fn close(&self, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len(), "{what} of {}", self.label());
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let near = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
            assert!(near, "{what}[{index}] of {}: {found} against {expected}", self.label());
        }
    }

    fn equals_the_composition(&self) {
        let Operation { fused, composed, gradients, .. } = *self.operation;
        let tolerance = if self.dtype == DType::F64 { 1e-11 } else { 3e-5 };
        let (leaves, differentiate) = (self.leaves(), gradients != Gradients::None);
        let found = self.run(&leaves, fused, (differentiate, &device()));
        let expected = self.run(&leaves, composed, (differentiate, &Device::Cpu));
        assert_eq!(found.shape, expected.shape, "{}", self.label());
        assert_eq!(found.value.len(), found.shape.iter().product::<usize>(), "{}", self.label());
        self.close("value", &found.value, &expected.value, tolerance);
        for (found, expected) in found.gradients.iter().zip(&expected.gradients) {
            self.close("gradient", found, expected, tolerance * 10.0);
        }
    }

    /// Central differences at some numbers of every leaf.
    fn equals_finite_differences(&self) {
        let (leaves, fused, step) = (self.leaves(), self.operation.fused, 1e-5);
        let found = self.run(&leaves, fused, (true, &device()));
        for (which, gradient) in found.gradients.iter().enumerate() {
            for index in (0..gradient.len()).step_by((gradient.len() / 12).max(1)) {
                let loss = |shift: f64| {
                    let mut moved = leaves.clone();
                    moved[which].1[index] += shift;
                    self.run(&moved, fused, (false, &device())).loss
                };
                let difference = (loss(step) - loss(-step)) / (2.0 * step);
                self.close("finite difference", &[gradient[index]], &[difference], 1e-6);
            }
        }
    }
}

/// Which operands lie in which way: all in the same one, and each in turn with the others whole.
fn placements(operands: usize) -> Vec<Vec<View>> {
    let mut placements = vec![vec![View::Whole; operands]];
    for view in &VIEWS[1..] {
        placements.push(vec![*view; operands]);
        for alone in (0..operands).filter(|_| operands > 1) {
            placements.push((0..operands).map(|which| if which == alone { *view } else { View::Whole }).collect());
        }
    }
    placements
}

/// Replays all of `operations` at all their sizes.
pub fn agree(operations: &[Operation]) {
    for operation in operations {
        for size in operation.sizes {
            let is_empty = (operation.operands)(*size).iter().any(|shape| shape.contains(&0));
            // What an operation in place wrote is put together by candle, which launches nothing over nothing.
            if is_empty && operation.gradients == Gradients::None && !device().is_cpu() {
                continue;
            }
            for views in placements((operation.operands)(*size).len()) {
                for arrival in ARRIVALS {
                    let replay = |dtype| Replay { operation, size: *size, views: views.clone(), arrival, dtype };
                    replay(DType::F32).equals_the_composition();
                    let exact = replay(DType::F64);
                    exact.equals_the_composition();
                    if operation.gradients == Gradients::Exact && arrival == Arrival::Whole {
                        exact.equals_finite_differences();
                    }
                }
            }
        }
    }
}
