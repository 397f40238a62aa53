//! Exits that compare a confidence, or the change in a step, with a threshold after every step.

mod calm;
mod confidence;
mod decay;
mod huginn_kl;
mod huginn_latent_diff;
mod norms;

use haltbench_sdk_dylib as _;

pub use calm::DECLARATION as CALM;
pub use huginn_kl::DECLARATION as HUGINN_KL;
pub use huginn_latent_diff::DECLARATION as HUGINN_LATENT_DIFF;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conform() {
        for declaration in [&super::CALM, &super::HUGINN_KL, &super::HUGINN_LATENT_DIFF] {
            check_policy(declaration);
        }
        let text = |text: &str| Value::Text(text.to_owned());
        for confidence in ["state", "classifier"] {
            check_policy_with(&super::CALM, &[("confidence", text(confidence)), ("decay", text("paper"))]);
        }
    }
}
