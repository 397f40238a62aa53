//! The parameters, validated together.

use haltbench_sdk::nodes::{self, NodeSettings};
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::{Error, Result};

use crate::graph::QueryRule;
use crate::order::OrderRule;
use crate::pair::Member;

/// Name of the task.
pub const NAME: &str = "brevo";

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    nodes::MINIMUM_NODES,
    nodes::MAXIMUM_NODES,
    nodes::LARGEST_NODES,
    nodes::SKIP,
    nodes::SIZE_LAW,
    ParameterSpec::choice(
        "query_rule",
        "last",
        &["last", "last_quarter"],
        "The node that is asked about: the one drawn last, as in the released program, or a uniform one of the last \
         quarter, as in its description.",
    ),
    ParameterSpec::choice(
        "order",
        "canonical",
        &["canonical", "any"],
        "Right answers: `canonical` for depth-first post-order with ascending predecessors and without the query, \
         `any` for every topological order that ends with the query.",
    ),
    ParameterSpec::choice(
        "pair",
        "none",
        &["none", "first", "second"],
        "Paired instances, with order = any: under one seed and index, `first` and `second` give the same prompt and \
         two answers that print one node at one place in different states; the feature `paired` marks it.",
    ),
    nodes::SPARE_VOCABULARY,
    nodes::VOCABULARY,
    nodes::SHORTEST_NAME,
    nodes::LONGEST_NAME,
];

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Numbers of nodes and their names.
    pub nodes: NodeSettings,
    /// The choice of the queried node.
    pub query: QueryRule,
    /// The correct answers.
    pub order: OrderRule,
    /// The instance of a pair that is drawn, if any.
    pub pair: Option<Member>,
}

impl Settings {
    /// Reads the parameters; the tokens of names start at `first_name`.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the invalid parameter.
    pub fn new(parameters: &Parameters, first_name: u32) -> Result<Self> {
        let order = match parameters.text("order")? {
            "any" => OrderRule::Any,
            _ => OrderRule::Canonical,
        };
        let pair = match parameters.text("pair")? {
            "first" => Some(Member::First),
            "second" => Some(Member::Second),
            _ => None,
        };
        if pair.is_some() && order == OrderRule::Canonical {
            let expected = "`none` with order = canonical, where every question has one answer";
            let operand = format!("parameter `pair` of {NAME}");
            return Err(Error::invalid(operand, expected, format!("`{}`", parameters.text("pair")?)));
        }
        let query = match parameters.text("query_rule")? {
            "last_quarter" => QueryRule::LastQuarter,
            _ => QueryRule::Last,
        };
        Ok(Self { nodes: NodeSettings::new(NAME, parameters, first_name)?, query, order, pair })
    }
}
