//! L_C of §3.2.1: KL(q || p) of each token's distribution over depths and the prior p(d) ∝ b^-d.

use haltbench_sdk::prelude::*;

use crate::kl_from_prior::kl_from_prior;

/// gamma · KL(q || p) per token, in nats, from log q `[rows, D]`: `[rows]`.
pub fn weighted_divergence(record: &HaltingRecord, gamma: f64, base: f64) -> Result<Option<Tensor>> {
    let Some(log_q) = &record.log_distribution else { return Ok(None) };
    Ok(Some(kl_from_prior(log_q, &log_prior(record.max_depth, base).into(), gamma)?))
}

/// log p(d) for d = 1..=D.
fn log_prior(max_depth: usize, base: f64) -> Vec<f64> {
    let unnormalised = (1..=max_depth).map(|depth| -(depth as f64) * base.ln());
    // Every term is at most -ln b, so the sum cannot overflow; the largest is taken out against underflow.
    let largest = -base.ln();
    let total: f64 = unnormalised.clone().map(|log| (log - largest).exp()).sum();
    unnormalised.map(|log| log - largest - total.ln()).collect()
}

/// A worked example: the divergence of one distribution from the prior.
pub fn worked_divergence(q: &[f64], base: f64) -> Result<String> {
    let log_q: Vec<f64> = q.iter().map(|mass| mass.ln()).collect();
    let record = HaltingRecord {
        log_distribution: Some(Tensor::from_vec(log_q, (1, q.len()), &Device::Cpu)?),
        ..HaltingRecord::new(q.len(), vec![1])
    };
    let divergence = weighted_divergence(&record, 1.0, base)?;
    let divergence: f64 = divergence.map_or(Ok(0.0), |divergence| divergence.get(0)?.to_scalar())?;
    Ok(format!("{divergence:.6}"))
}
