//! `--set key=value`: converts the text to the parameter's declared type.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::{Domain, ParameterSpec, Parameters, Value};

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
            return Err(Failure::usage(format!("--set {assignment}: expected key=value, such as {}", example(specs))));
        };
        if let Some(earlier) = texts.insert(name, text) {
            let message = format!("--set {name}: expected one value, found two, {earlier} and {text}");
            return Err(Failure::usage(message));
        }
        let spec = specs.iter().find(|spec| spec.name == name);
        given.insert(name.to_owned(), spec.map_or_else(|| Value::Text(text.to_owned()), |spec| typed(spec, text)));
    }
    Ok(Parameters::resolve(owner, specs, &given)?)
}

fn example(specs: &[ParameterSpec]) -> String {
    specs.first().map_or_else(|| "modulus=7".to_owned(), |spec| format!("{}={}", spec.name, spec.default()))
}

/// `text` converted to the parameter's type. If that fails, it stays a text and is then refused with the allowed range.
fn typed(spec: &ParameterSpec, text: &str) -> Value {
    let value = match spec.domain {
        Domain::Flag { .. } => text.parse().ok().map(Value::Flag),
        Domain::Integer { .. } => text.parse().ok().map(Value::Integer),
        Domain::Real { .. } => text.parse().ok().map(Value::Real),
        Domain::Choice { .. } | Domain::Text { .. } => {
            // Quotes as in a suite file are allowed.
            let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            inner.map(|inner| Value::Text(inner.to_owned()))
        }
    };
    value.unwrap_or_else(|| Value::Text(text.to_owned()))
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
        let given = ["modulus=11", "share=1", "strict=true", "skip=5"].map(str::to_owned);
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
        assert!(message("modulus=x").contains("expected a whole number from 2 to 1000, found x"));
        assert!(message("share=NaN").contains("expected a number from 0 to 1, found NaN"));
    }
}
