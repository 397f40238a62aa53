//! The page of a task.

use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::task::{FeatureKind, SizeKnob, Supervision, TaskDeclaration, TaskSpec};

use super::page::{Page, property};
use crate::assign;
use crate::failure::Failure;
use crate::guard::guarded;
use crate::table;

/// Documentation, properties with the default parameters, complexities, features, parameters and reference.
pub fn page(declaration: &TaskDeclaration) -> Result<Page, Failure> {
    let defaults: Parameters = assign::resolve(declaration.name, declaration.parameters, &[])?;
    let task = guarded(declaration.name, || (declaration.build)(&defaults))?;
    let spec = task.spec();
    Ok(Page::new(declaration.name, "Task", declaration.summary)
        .block(declaration.documentation)
        .properties(&properties(declaration, spec))
        .section("Complexities", &complexities(spec))
        .section("Features", &features(spec))
        .parameters(declaration.parameters)
        .section("Reference", declaration.reference))
}

fn properties(declaration: &TaskDeclaration, spec: &TaskSpec) -> Vec<[String; 2]> {
    let supervision = match spec.supervision {
        Supervision::NextToken => "next-token: a token is predicted at the position before it",
        Supervision::AtToken => "at-token: a token's target is predicted at the token itself",
    };
    let mut rows = vec![
        property("vocabulary", format!("{} tokens", spec.vocabulary.len())),
        property("supervision", supervision),
        property("headline complexity", format!("`{}`", spec.headline)),
        property("licence", declaration.licence),
    ];
    match &spec.size {
        None => rows.push(property("sizes", "the task has none")),
        Some(knob) => rows.extend(sizes(knob)),
    }
    rows
}

fn sizes(knob: &SizeKnob) -> [[String; 2]; 4] {
    [
        property("sizes", format!("{} from {} to {}", knob.name, knob.minimum, knob.maximum)),
        property("training sizes", runs(&knob.training)),
        property("unseen sizes between them", runs(&knob.between)),
        property("unseen sizes beyond them", runs(&knob.beyond)),
    ]
}

/// Ascending numbers as text; three or more in a row are shortened.
fn runs(numbers: &[u32]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let follows = |(index, number): &(u32, &u32)| first.checked_add(*index) == Some(**number);
        let length = (0..).zip(rest).take_while(follows).count();
        let (run, after) = rest.split_at(length);
        match run {
            [first, _, .., last] => parts.push(format!("{first} to {last}")),
            few => parts.extend(few.iter().map(u32::to_string)),
        }
        rest = after;
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn complexities(spec: &TaskSpec) -> String {
    let rows: Vec<[String; 2]> =
        spec.complexities.iter().map(|spec| [format!("`{}`", spec.name), spec.documentation.to_owned()]).collect();
    if rows.is_empty() { String::new() } else { table::markdown(["name", "meaning"], &rows) }
}

fn features(spec: &TaskSpec) -> String {
    let kind = |kind| match kind {
        FeatureKind::Static => "static",
        FeatureKind::State => "state",
    };
    let rows: Vec<[String; 3]> = spec
        .features
        .iter()
        .map(|spec| [format!("`{}`", spec.name), kind(spec.kind).to_owned(), spec.documentation.to_owned()])
        .collect();
    if rows.is_empty() { String::new() } else { table::markdown(["name", "kind", "meaning"], &rows) }
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn shortens_runs_of_three_or_more() {
        assert_eq!(runs(&[3, 4, 5, 6]), "3 to 6");
        assert_eq!(runs(&[1, 2, 4, 8, 9, 10]), "1, 2, 4, 8 to 10");
        assert_eq!(runs(&[u32::MAX]), "4294967295");
        assert_eq!(runs(&[]), "none");
    }
}
