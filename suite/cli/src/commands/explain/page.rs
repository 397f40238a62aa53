//! A page of Markdown, and the parts that all kinds share.

use haltbench_sdk::parameters::{Effect, ParameterSpec, Trend};

use crate::table;

/// A page under construction.
pub struct Page {
    text: String,
}

impl Page {
    /// A page with its title and a first line that says the kind.
    pub fn new(name: &str, kind: &str, summary: &str) -> Self {
        Self { text: format!("# {name}\n\n{}\n", format!("{kind}. {summary}").trim_end()) }
    }

    /// Adds a block of Markdown, unless it is empty.
    pub fn block(mut self, markdown: &str) -> Self {
        let markdown = markdown.trim();
        if !markdown.is_empty() {
            self.text.push_str(&format!("\n{markdown}\n"));
        }
        self
    }

    /// Adds a section, unless it is empty.
    pub fn section(self, title: &str, markdown: &str) -> Self {
        if markdown.trim().is_empty() { self } else { self.block(&format!("## {title}\n\n{}", markdown.trim())) }
    }

    /// Adds the table of properties.
    pub fn properties(self, rows: &[[String; 2]]) -> Self {
        self.section("Properties", &table::markdown(["property", "value"], rows))
    }

    /// Adds the table of parameters.
    pub fn parameters(self, specs: &[ParameterSpec]) -> Self {
        if specs.is_empty() {
            return self.section("Parameters", "None.");
        }
        let rows: Vec<[String; 4]> = specs.iter().map(parameter).collect();
        self.section("Parameters", &table::markdown(["name", "default", "allowed", "meaning"], &rows))
    }

    /// Adds the table of a policy's parameters, which says when each acts.
    pub fn parameters_of_policy(self, specs: &[ParameterSpec]) -> Self {
        if specs.is_empty() {
            return self.section("Parameters", "None.");
        }
        let row = |spec: &ParameterSpec| {
            let [name, default, allowed, meaning] = parameter(spec);
            [name, default, allowed, acts(spec.effect).to_owned(), meaning]
        };
        let rows: Vec<[String; 5]> = specs.iter().map(row).collect();
        self.section("Parameters", &table::markdown(["name", "default", "allowed", "acts in", "meaning"], &rows))
    }

    /// The page's text, which ends with a line break.
    pub fn finish(self) -> String {
        self.text
    }
}

/// When a policy's parameter acts.
fn acts(effect: Effect) -> &'static str {
    match effect {
        Effect::Training | Effect::Depth => "training",
        Effect::Knob(Trend::Deeper) => "evaluation: deeper as it rises",
        Effect::Knob(Trend::Shallower) => "evaluation: shallower as it rises",
        Effect::Knob(Trend::None) => "evaluation",
    }
}

fn parameter(spec: &ParameterSpec) -> [String; 4] {
    let default = spec.default().to_string();
    let default = if default.is_empty() { "\"\"".to_owned() } else { default };
    [format!("`{}`", spec.name), format!("`{default}`"), spec.range(), spec.documentation.to_owned()]
}

/// A row of the table of properties.
pub fn property(name: &str, value: impl Into<String>) -> [String; 2] {
    [name.to_owned(), value.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_is_empty_and_names_what_is_not() {
        let specs =
            [ParameterSpec::text("skip", "", "Sizes."), ParameterSpec::real("gamma", 0.1, (0.0, 1.0), "Weight.")];
        let page = Page::new("x", "Task", "A summary.").block("").section("Reference", " ").parameters(&specs);
        let expected = "\
# x

Task. A summary.

## Parameters

| name    | default | allowed              | meaning |
| ------- | ------- | -------------------- | ------- |
| `skip`  | `\"\"`    | a text               | Sizes.  |
| `gamma` | `0.1`   | a number from 0 to 1 | Weight. |
";
        assert_eq!(page.finish(), expected);
    }
}
