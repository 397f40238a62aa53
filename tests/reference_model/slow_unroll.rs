//! The paper's unroll written plainly in f64 with candle's own operations: every step computes every row, attention is
//! a full masked product, and only what halted tokens provide is remembered. It shares no code with engine, backbone
//! and policies, and follows `baselines/pytorch/model.py`, which supports only one of the options.

use std::collections::BTreeMap;

use haltbench_sdk::candle_core::{D, DType, Device, Result, Tensor, Var};
use haltbench_sdk::candle_nn::ops::{log_softmax, softmax};
use serde_json::Value as Json;

/// A model and its inputs.
pub struct SlowUnroll<'a> {
    pub config: &'a Json,
    pub gamma: f64,
    pub base: f64,
    /// By checkpoint name, in f64.
    pub weights: BTreeMap<String, Var>,
    pub lengths: Vec<usize>,
}

/// The results of a training pass.
pub struct Outcome {
    pub depths: Vec<u32>,
    pub log_distribution: Tensor,
    pub logits: Tensor,
    pub cross_entropy: Tensor,
    pub regulariser: Tensor,
    pub loss: Tensor,
}

/// Keys and values of all rows in each layer of the core.
type Memory = Vec<Option<(Tensor, Tensor)>>;

impl SlowUnroll<'_> {
    fn size(&self, key: &str) -> usize {
        self.config[key].as_u64().unwrap() as usize
    }

    fn text(&self, key: &str) -> &str {
        self.config[key].as_str().unwrap()
    }

    fn rows(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn weight(&self, name: &str) -> &Tensor {
        self.weights.get(name).unwrap_or_else(|| panic!("no weight {name}")).as_tensor()
    }

    fn product(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        x.matmul(&self.weight(name).t()?)
    }

    fn rms_norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let epsilon = self.config["rms_norm_epsilon"].as_f64().unwrap();
        let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
        x.broadcast_div(&scale)?.broadcast_mul(self.weight(name))
    }

    /// Position and first row of the sequence, for each row.
    fn places(&self) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        for length in &self.lengths {
            let start = places.len();
            places.extend((0..*length).map(|position| (position, start)));
        }
        places
    }

    /// Added to the score of a query and a key. A row sees itself and earlier rows of its sequence, except `hidden`
    /// ones.
    fn mask(&self, hidden: &[bool]) -> Result<Tensor> {
        let places = self.places();
        let sees = |row: usize, key: usize| key == row || (places[row].1..row).contains(&key) && !hidden[key];
        let pairs = (0..self.rows()).flat_map(|row| (0..self.rows()).map(move |key| (row, key)));
        let mask: Vec<f64> = pairs.map(|(row, key)| if sees(row, key) { 0.0 } else { -1e30 }).collect();
        Tensor::from_vec(mask, (1, self.rows(), self.rows()), &Device::Cpu)
    }

    /// `[rows, d_model]` to `[heads, rows, d_model / heads]`.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let heads = self.size("heads");
        x.reshape((self.rows(), heads, self.size("d_model") / heads))?.transpose(0, 1)?.contiguous()
    }

    /// Components i and i + half are rotated together.
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let (size, theta) = (x.dim(2)?, self.config["rope_theta"].as_f64().unwrap());
        let half = size / 2;
        let angle = |position: usize, pair: usize| position as f64 * theta.powf(-2.0 * pair as f64 / size as f64);
        let positions = self.places().into_iter().map(|(position, _)| position);
        let angles: Vec<f64> =
            positions.flat_map(|position| (0..half).map(move |pair| angle(position, pair))).collect();
        let angles = Tensor::from_vec(angles, (1, self.rows(), half), &Device::Cpu)?;
        let (cosine, sine) = (angles.cos()?, angles.sin()?);
        let (first, second) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let turned = (first.broadcast_mul(&cosine)? - second.broadcast_mul(&sine)?)?;
        Tensor::cat(&[turned, (second.broadcast_mul(&cosine)? + first.broadcast_mul(&sine)?)?], 2)
    }

    /// Keys and values of the states `x`.
    fn keys_values(&self, x: &Tensor, prefix: &str) -> Result<(Tensor, Tensor)> {
        let normed = self.rms_norm(x, &format!("{prefix}.input_layernorm.weight"))?;
        let projected = |name: &str| self.split(&self.product(&normed, &format!("{prefix}.self_attn.{name}.weight"))?);
        Ok((self.rotate(&projected("k_proj")?)?, projected("v_proj")?))
    }

    fn layer(&self, x: &Tensor, (keys, values): &(Tensor, Tensor), mask: &Tensor, prefix: &str) -> Result<Tensor> {
        let named = |name: &str| format!("{prefix}.{name}.weight");
        let queries = self.product(&self.rms_norm(x, &named("input_layernorm"))?, &named("self_attn.q_proj"))?;
        let queries = self.rotate(&self.split(&queries)?)?;
        let scale = (queries.dim(2)? as f64).sqrt().recip();
        let scores = (queries.matmul(&keys.transpose(1, 2)?)? * scale)?.broadcast_add(mask)?;
        let mixed = softmax(&scores, D::Minus1)?.matmul(values)?.transpose(0, 1)?.reshape(x.shape())?;
        let x = (x + self.product(&mixed, &named("self_attn.o_proj"))?)?;
        let normed = self.rms_norm(&x, &named("post_attention_layernorm"))?;
        let (gate, up) =
            (self.product(&normed, &named("mlp.gate_proj"))?, self.product(&normed, &named("mlp.up_proj"))?);
        x + self.product(&(silu(&gate)? * up)?, &named("mlp.down_proj"))?
    }

    /// The layers of the prelude or the coda.
    fn stack(&self, part: &str, mut x: Tensor) -> Result<Tensor> {
        let mask = self.mask(&vec![false; self.rows()])?;
        for index in 0..self.size(&format!("{part}_layers")) {
            let prefix = format!("{part}.layers.{index}");
            x = self.layer(&x, &self.keys_values(&x, &prefix)?, &mask, &prefix)?;
        }
        Ok(x)
    }

    /// R(h) of every row, given the halted rows.
    fn core(&self, h: &Tensor, halted: &[bool], memory: &mut Memory) -> Result<Tensor> {
        let mode = self.text("halted_keys_values").to_owned();
        let nobody = vec![false; halted.len()];
        let mask = self.mask(if mode == "skip" { halted } else { &nobody })?;
        let flags = flags(halted, (self.rows(), 1))?;
        let mut x = h.clone();
        for (index, remembered) in memory.iter_mut().enumerate() {
            let prefix = format!("core.layers.{index}");
            let offered = match mode.as_str() {
                // In every layer, the state with which the token halted.
                "freeze-state" => self.keys_values(&choose(&flags, h, &x)?, &prefix)?,
                // The layer's projection from the token's last step.
                "latest-kv" => {
                    let (keys, values) = self.keys_values(&x, &prefix)?;
                    match remembered.take() {
                        None => (keys, values),
                        Some((old_keys, old_values)) => {
                            (choose(&flags, &old_keys, &keys)?, choose(&flags, &old_values, &values)?)
                        }
                    }
                }
                // Other tokens do not see it.
                "skip" => self.keys_values(&x, &prefix)?,
                other => panic!("no training under {other}"),
            };
            *remembered = Some(offered.clone());
            x = self.layer(&x, &offered, &mask, &prefix)?;
        }
        Ok(x)
    }

    fn decider(&self, h: &Tensor) -> Result<Tensor> {
        let centred = h.broadcast_sub(&h.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
        let normed = centred.broadcast_div(&deviation)?.broadcast_mul(self.weight("decider.norm.weight"))?;
        let normed = normed.broadcast_add(self.weight("decider.norm.bias"))?;
        let hidden = silu(&self.product(&normed, "decider.up.weight")?)?;
        self.product(&hidden, "decider.down.weight")?.broadcast_add(self.weight("decider.down.bias"))
    }

    /// h(d): the gate's value is hard, its gradient is the gradient of `soft`.
    fn advance(&self, h: &Tensor, open: &[bool], soft: Option<&Tensor>, memory: &mut Memory) -> Result<Tensor> {
        let halted: Vec<bool> = open.iter().map(|open| !open).collect();
        let candidate = self.core(h, &halted, memory)?;
        let Some(soft) = soft else { return Ok(candidate) };
        let gate = (flags(open, (self.rows(), 1))? + (soft - soft.detach())?.unsqueeze(1)?)?;
        choose(&gate, &candidate, h)
    }

    /// The training pass over `tokens`, where the rows `answers` predict their `targets`.
    pub fn run(&self, tokens: &[u32], targets: &[u32], answers: &[u32], noise: &[f64]) -> Result<Outcome> {
        let tokens = Tensor::from_slice(tokens, tokens.len(), &Device::Cpu)?;
        let h = self.stack("prelude", self.weight("embed_tokens.weight").index_select(&tokens, 0)?)?;
        let (h, depths, log_q) = match self.text("policy") {
            "anira-e" => self.early(h, noise)?,
            _ => self.online(h, noise)?,
        };
        let logits = self.product(&self.rms_norm(&self.stack("coda", h)?, "norm.weight")?, "lm_head.weight")?;
        let answers = Tensor::from_slice(answers, answers.len(), &Device::Cpu)?;
        let targets = Tensor::from_slice(targets, (targets.len(), 1), &Device::Cpu)?;
        let losses = log_softmax(&logits, D::Minus1)?.gather(&targets, 1)?.squeeze(1)?.neg()?;
        let cross_entropy = losses.index_select(&answers, 0)?.mean_all()?;
        let prior: Vec<f64> = (1..=self.size("max_depth")).map(|depth| -(depth as f64) * self.base.ln()).collect();
        let log_p = log_softmax(&Tensor::from_vec(prior, (1, self.size("max_depth")), &Device::Cpu)?, D::Minus1)?;
        let regulariser = (log_q.exp()? * log_q.broadcast_sub(&log_p)?)?.sum(1)?.mean_all()?;
        let loss = (&cross_entropy + (&regulariser * self.gamma)?)?;
        Ok(Outcome { depths, log_distribution: log_q, logits, cross_entropy, regulariser, loss })
    }

    fn early(&self, mut h: Tensor, noise: &[f64]) -> Result<(Tensor, Vec<u32>, Tensor)> {
        let most = self.size("max_depth");
        let scores = self.decider(&h)?;
        let scores = scores.broadcast_sub(&scores.mean_keepdim(D::Minus1)?)?;
        let drawn = (&scores + Tensor::from_slice(noise, (self.rows(), most), &Device::Cpu)?)?;
        let depths: Vec<u32> = drawn.argmax(1)?.to_vec1::<u32>()?.into_iter().map(|place| place + 1).collect();
        let y = softmax(&drawn, D::Minus1)?;
        let mut memory = vec![None; self.size("core_layers")];
        for step in 1..=most {
            let open: Vec<bool> = depths.iter().map(|depth| *depth as usize >= step).collect();
            let soft = y.narrow(1, step - 1, most + 1 - step)?.sum(1)?;
            h = self.advance(&h, &open, Some(&soft).filter(|_| step > 1), &mut memory)?;
        }
        Ok((h, depths, log_softmax(&scores, D::Minus1)?))
    }

    fn online(&self, mut h: Tensor, noise: &[f64]) -> Result<(Tensor, Vec<u32>, Tensor)> {
        let most = self.size("max_depth");
        let mut depths = vec![0; self.rows()];
        let mut open = vec![true; self.rows()];
        let mut cumulative = vec![0.0; self.rows()];
        let mut log_remaining = Tensor::zeros(self.rows(), DType::F64, &Device::Cpu)?;
        let mut log_q = Vec::new();
        let mut memory = vec![None; self.size("core_layers")];
        for step in 1..=most {
            depths.iter_mut().zip(&open).for_each(|(depth, open)| *depth += u32::from(*open));
            let soft = log_remaining.exp()?;
            h = self.advance(&h, &open, Some(&soft).filter(|_| step > 1), &mut memory)?;
            if step == most {
                log_q.push(log_remaining.clone());
                break;
            }
            let score = self.decider(&h)?.squeeze(1)?;
            log_q.push((&log_remaining + log_sigmoid(&score)?)?);
            log_remaining = (log_remaining + log_sigmoid(&score.neg()?)?)?;
            let mass: Vec<f64> = log_q[step - 1].exp()?.to_vec1()?;
            for (row, mass) in mass.into_iter().enumerate() {
                cumulative[row] += mass;
                open[row] &= cumulative[row] < noise[row];
            }
        }
        Ok((h, depths, Tensor::stack(&log_q, 1)?))
    }
}

/// 1 where a flag is set.
fn flags(flags: &[bool], shape: (usize, usize)) -> Result<Tensor> {
    let numbers: Vec<f64> = flags.iter().map(|set| f64::from(u8::from(*set))).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

/// `share` · yes + (1 - `share`) · no.
fn choose(share: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    yes.broadcast_mul(share)? + no.broadcast_mul(&share.affine(-1.0, 1.0)?)?
}

fn silu(x: &Tensor) -> Result<Tensor> {
    x / (x.neg()?.exp()? + 1.0)?
}

fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.log()?.neg()
}
