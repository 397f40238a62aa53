//! `--set key=value` for the parameters of one implementation; values are written as in a suite file.

use std::collections::BTreeMap;

use haltbench_engine::plan;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::visible::on_one_line;

use crate::failure::Failure;

/// The parameters of `owner`, with defaults for those that `assignments` do not set.
///
/// # Errors
/// If an assignment has no `=`, names no parameter or one that another assignment sets, or a value is not allowed.
pub fn resolve(owner: &str, specs: &[ParameterSpec], assignments: &[String]) -> Result<Parameters, Failure> {
    let mut given = BTreeMap::new();
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    for assignment in assignments {
        let Some((name, text)) = assignment.split_once('=') else {
            let assignment = on_one_line(assignment);
            return Err(Failure::usage(format!("--set {assignment}: expected key=value, such as {}", example(specs))));
        };
        if let Some(earlier) = texts.insert(name, text) {
            let message = format!("--set {name}: expected one value, found two, {earlier} and {text}");
            return Err(Failure::usage(message));
        }
        given.insert(name.to_owned(), plan::plain(owner, name, &plan::value(text))?);
    }
    Ok(Parameters::resolve(owner, specs, &given)?)
}

fn example(specs: &[ParameterSpec]) -> String {
    specs.first().map_or_else(|| "modulus=7".to_owned(), |spec| format!("{}={}", spec.name, spec.default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[ParameterSpec] = &[
        ParameterSpec::integer("modulus", 23, (2, 1000), ""),
        ParameterSpec::real("share", 0.5, (0.0, 1.0), ""),
        ParameterSpec::flag("strict", false, ""),
        ParameterSpec::text("skip", "", ""),
    ];

    #[test]
    fn values_get_the_declared_type() {
        let given = ["modulus=1_1", "share=1", "strict=true", "skip=5"].map(str::to_owned);
        let parameters = resolve("mano", SPECS, &given).unwrap();
        assert_eq!(parameters.integer("modulus").unwrap(), 11);
        assert_eq!(parameters.real("share").unwrap(), 1.0);
        assert!(parameters.flag("strict").unwrap());
        assert_eq!(parameters.text("skip").unwrap(), "5");
        assert_eq!(resolve("mano", SPECS, &["skip=\"a=b\"".to_owned()]).unwrap().text("skip").unwrap(), "a=b");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |text: &str| format!("{:?}", resolve("mano", SPECS, &[text.to_owned()]).unwrap_err());
        let twice = ["modulus=7", "share=1", "modulus=11"].map(str::to_owned);
        let twice = format!("{:?}", resolve("mano", SPECS, &twice).unwrap_err());
        assert!(twice.contains("--set modulus: expected one value, found two, 7 and 11"), "{twice}");
        assert!(message("modulus").contains("--set modulus: expected key=value, such as modulus=23"));
        assert!(message("modulo=7").contains("did you mean `modulus`?"));
        assert!(message("modulus=x").contains("expected a whole number from 2 to 1000, found \\\"x\\\""));
        assert!(message("modulus=7.0").contains("expected a whole number from 2 to 1000, found 7.0"));
        assert!(message("share=nan").contains("expected a number from 0 to 1, found NaN"));
        assert!(message("skip=[1]").contains("expected a number, a text or true or false, found array"));
    }
}
