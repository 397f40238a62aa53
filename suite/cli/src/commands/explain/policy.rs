//! The page of a halting policy.

use haltbench_sdk::parameters::Domain;
use haltbench_sdk::policy::{Example, Holds, PolicyDeclaration, PolicyKind, RecipeStage, Role, Source};

use super::page::{Page, property};

/// Documentation, properties, inference, parameters, worked examples and reference.
pub fn page(declaration: &PolicyDeclaration) -> Page {
    let kind = if declaration.role == Role::Policy { "Halting policy" } else { "Control policy" };
    let examples: String = declaration.examples.iter().map(example).collect();
    Page::new(declaration.name, kind, declaration.summary)
        .block(declaration.documentation)
        .properties(&properties(declaration))
        .parameters_of_policy(declaration.parameters)
        .section("Examples", &examples)
        .section("Reference", declaration.reference)
}

fn properties(declaration: &PolicyDeclaration) -> Vec<[String; 2]> {
    let decides = match declaration.kind {
        PolicyKind::Early => "early: decides once, before the first step",
        PolicyKind::Online => "online: decides after each step and never wakes a token",
        PolicyKind::Soft => "soft: accumulates weights; the output is a mixture over steps",
        PolicyKind::Select => "select: chooses positions at each step and may wake a token",
    };
    let recipe = describe(declaration);
    let needs = declaration.defaults().is_ok_and(|parameters| declaration.needs_training(&parameters));
    let training = match (declaration.source, declaration.may_need_training()) {
        (Source::DepthsAndModel, _) => "none: it is evaluated on the model of the policy that `of` names".to_owned(),
        (Source::Depths, _) => {
            "with the model, at depths that it decides after reading the depths of the policy that `of` names"
                .to_owned()
        }
        (Source::Nothing, true) if needs => format!("with the model: {recipe}"),
        (Source::Nothing, true) => format!("the model alone, with the default parameters: {recipe}"),
        (Source::Nothing, false) => format!("the model alone, shared by all policies with the same recipe: {recipe}"),
    };
    let causal = declaration
        .causal
        .words("yes: a decision depends only on tokens at or before it", "no: a decision may depend on later tokens");
    let role = match declaration.role {
        Role::Policy => "policy: under test, and ranked",
        Role::FixedDepth => "fixed-depth: a control; one number of steps for all tokens, a point of the frontier",
        Role::FixedAnswerDepth => {
            "fixed-answer-depth: a control; one number of steps for answers, one step for prompts"
        }
        Role::Cue => "cue: a control; imitates another policy's depths from a surface cue alone",
        Role::Shuffled => "shuffled: a control; another policy's depths, given to other tokens",
        Role::Control => "control: a yardstick, not ranked",
    };
    let labels = if declaration.uses_labels.any() { "yes: an oracle, never ranked" } else { "no" };
    let mut rows = vec![
        property("kind", decides),
        property("training", &training),
        property("causal", &causal),
        property("uses labels or complexities", labels),
        property("role", role),
    ];
    if declaration.source.has_depths() {
        rows.push(property("source", "required key `of`: the label of a policy of the same suite"));
    }
    if !declaration.fits.is_empty() {
        let options: Vec<&str> = declaration.fits.iter().map(|option| option.name()).collect();
        rows.push(property("halted keys and values", format!("its training fits {}", options.join(", "))));
    }
    rows.push(property("inference", inference(declaration)));
    rows
}

/// How the policy decides in evaluation: the choices of its parameter `rule`, and whether it draws random numbers.
fn inference(declaration: &PolicyDeclaration) -> String {
    let draws = declaration.stochastic.words("draws random numbers", "deterministic");
    let rule = declaration.parameters.iter().find(|spec| spec.name == "rule");
    match rule.map(|spec| spec.domain) {
        Some(Domain::Choice { default, choices }) => {
            format!("{draws}; parameter `rule`: {default} by default, one of {}", choices.join(", "))
        }
        _ => draws,
    }
}

/// How its model is trained, stage by stage.
fn describe(declaration: &PolicyDeclaration) -> String {
    if declaration.stages.is_empty() {
        return declaration.recipe.describe();
    }
    let stage = |(number, stage): (usize, &RecipeStage)| {
        let when = match stage.when {
            Holds::Always => String::new(),
            when => format!(" ({})", when.words("", "left out").trim_start_matches(", ")),
        };
        format!("stage {} ({} x training.steps): {}{when}", number + 1, stage.share, stage.recipe.describe())
    };
    declaration.stages.iter().enumerate().map(stage).collect::<Vec<_>>().join("; ")
}

fn example(example: &Example) -> String {
    format!("* {}: `{}`\n", example.title, example.expect)
}
