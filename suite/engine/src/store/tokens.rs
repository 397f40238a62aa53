//! `tokens.parquet`: one row for each evaluated token.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use haltbench_analysis::{Split, TokenColumns, TokenTable};
use haltbench_sdk::task::TaskSpec;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::atomic::write_atomic;
use super::columns::{Column, Values, encode};
use crate::error::{Error, Result};
use crate::files;
use crate::panics;

/// Name of the file with the tokens of the calibration part.
pub const CALIBRATION: &str = "calibration.parquet";

/// One evaluated token. Every value belongs to the predicted token, the *target*; if tokens are predicted from their
/// predecessors, the steps that predict it are spent one position earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRecord {
    /// Id of the instance, the same for all seeds and policies and in every run.
    pub instance: u64,
    /// Id of its problem, the same in every run. Every interval treats the instances of one problem as one unit.
    pub problem: u64,
    /// Size of the instance.
    pub size: u32,
    /// Size of the token's own problem.
    pub own_size: u32,
    /// Split of its own size.
    pub split: Split,
    /// Index of the target token in its sequence.
    pub position: u32,
    /// Whether it is under the loss and graded.
    pub is_answer: bool,
    /// The token read at the position that made the prediction.
    pub input_token: u32,
    /// The right token.
    pub target: u32,
    /// The predicted token; only for answer tokens.
    pub predicted: Option<u32>,
    /// Probability of the predicted token; only for answer tokens.
    pub confidence: Option<f32>,
    /// Steps spent on predicting the token.
    pub depth: u32,
    /// Steps spent at the token's own position; `None` for a last token from which nothing is predicted.
    pub depth_at_token: Option<u32>,
    /// Expected depth of the prediction, if the policy has a distribution over depths.
    pub expected_depth: Option<f32>,
    /// Expected depth at the token's own position.
    pub expected_depth_at_token: Option<f32>,
    /// The policy's distribution: probabilities of the depths 1..=D, or for policies that mix states, weights of the
    /// states after 0..=D steps.
    pub distribution: Option<Vec<f32>>,
    /// Operations executed for the row, decisions included.
    pub flops: f64,
    /// Operations of all D steps for the row, without decisions.
    pub dense_flops: f64,
    /// Complexities of the target in the task's order; NaN where undefined.
    pub complexities: Vec<f32>,
    /// Features of the target in the task's order; NaN where undefined.
    pub features: Vec<f32>,
}

/// Writes the tokens of an evaluation.
///
/// # Errors
/// [`Error::File`] naming the path.
pub fn write_tokens(path: &Path, spec: &TaskSpec, tokens: &[TokenRecord]) -> Result<()> {
    let bytes = encode(&columns(spec, tokens))
        .map_err(|error| Error::file(path, "cannot be encoded")(std::io::Error::other(error.to_string())))?;
    write_atomic(path, &bytes)
}

fn columns(spec: &TaskSpec, tokens: &[TokenRecord]) -> Vec<Column> {
    fn of<T>(tokens: &[TokenRecord], get: impl Fn(&TokenRecord) -> T) -> Vec<T> {
        tokens.iter().map(get).collect()
    }
    let integer = |get: fn(&TokenRecord) -> u32| Values::Integer(of(tokens, |token| get(token) as i32));
    let optional =
        |get: fn(&TokenRecord) -> Option<u32>| Values::OptionalInteger(of(tokens, |token| Some(get(token)? as i32)));
    let real = |get: fn(&TokenRecord) -> Option<f32>| Values::OptionalReal(of(tokens, get));
    let mut columns = vec![
        Column::new("instance", Values::Long(of(tokens, |token| token.instance as i64))),
        Column::new("problem", Values::Long(of(tokens, |token| token.problem as i64))),
        Column::new("size", integer(|token| token.size)),
        Column::new("own_size", integer(|token| token.own_size)),
        Column::new("split", Values::Word(of(tokens, |token| token.split.name()))),
        Column::new("position", integer(|token| token.position)),
        Column::new("is_answer", Values::Flag(of(tokens, |token| token.is_answer))),
        Column::new("input_token", integer(|token| token.input_token)),
        Column::new("target", integer(|token| token.target)),
        Column::new("predicted", optional(|token| token.predicted)),
        Column::new("correct", Values::OptionalFlag(of(tokens, |token| Some(token.predicted? == token.target)))),
        Column::new("confidence", real(|token| token.confidence)),
        Column::new("depth", integer(|token| token.depth)),
        Column::new("depth_at_token", optional(|token| token.depth_at_token)),
        Column::new("expected_depth", real(|token| token.expected_depth)),
        Column::new("expected_depth_at_token", real(|token| token.expected_depth_at_token)),
        Column::new("distribution", Values::OptionalReals(of(tokens, |token| token.distribution.clone()))),
        Column::new("flops", Values::Double(of(tokens, |token| token.flops))),
        Column::new("dense_flops", Values::Double(of(tokens, |token| token.dense_flops))),
    ];
    let defined = |value: f32| (!value.is_nan()).then_some(value);
    for (index, complexity) in spec.complexities.iter().enumerate() {
        let values = of(tokens, |token| defined(token.complexities[index]));
        columns.push(Column::new(format!("complexity_{}", complexity.name), Values::OptionalReal(values)));
    }
    for (index, feature) in spec.features.iter().enumerate() {
        let values = of(tokens, |token| defined(token.features[index]));
        columns.push(Column::new(format!("feature_{}", feature.name), Values::OptionalReal(values)));
    }
    columns
}

/// Reads the tokens of an evaluation as they were recorded. Missing complexities and features are NaN.
///
/// # Errors
/// [`Error::Damaged`] naming the column.
pub fn read_records(path: &Path, spec: &TaskSpec) -> Result<Vec<TokenRecord>> {
    decode(path, |reader| records(reader, spec))
}

/// The records of a file.
fn records(reader: &SerializedFileReader<File>, spec: &TaskSpec) -> Result<Vec<TokenRecord>, String> {
    let names: Vec<String> = columns(spec, &[]).iter().map(|column| column.name().to_owned()).collect();
    let schema = reader.metadata().file_metadata().schema_descr();
    let found: Vec<&str> = schema.root_schema().get_fields().iter().map(|field| field.name()).collect();
    if found != names {
        return Err(format!("expected the columns {}, found {}", names.join(", "), found.join(", ")));
    }
    let complexities = names.len() - spec.complexities.len() - spec.features.len();
    let mut records = Vec::new();
    for row in reader.get_row_iter(None).map_err(|error| error.to_string())? {
        let row = row.map_err(|error| error.to_string())?;
        let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        let record = record_of(&fields, (complexities, spec.complexities.len()));
        records.push(record.ok_or_else(|| format!("row {}: a column has another type", records.len()))?);
    }
    Ok(records)
}

/// Opens a file of tokens and decodes it.
fn decode<T>(path: &Path, decode: impl FnOnce(&SerializedFileReader<File>) -> Result<T, String>) -> Result<T> {
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let (file, length) = files::open(path).map_err(Error::file(path, "cannot be read"))?;
    let reader = SerializedFileReader::new(file).map_err(|error| damaged(error.to_string()))?;
    check_places(reader.metadata(), length).map_err(damaged)?;
    // The library asserts much of what a damaged file breaks.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(&reader)));
    decoded.unwrap_or_else(|panic| Err(format!("it cannot be decoded: {}", panics::message(&*panic)))).map_err(damaged)
}

/// The record in the fields of a row, in which `count` complexities begin at `first`; `None` if one has another type.
fn record_of(fields: &[&Field], (first, count): (usize, usize)) -> Option<TokenRecord> {
    let long = |place: usize| match fields[place] {
        Field::Long(value) => Some(*value as u64),
        _ => None,
    };
    let integer = |place: usize| match fields[place] {
        Field::Int(value) => Some(Some(*value as u32)),
        Field::Null => Some(None),
        _ => None,
    };
    let real = |place: usize| match fields[place] {
        Field::Float(value) => Some(Some(*value)),
        Field::Null => Some(None),
        _ => None,
    };
    let double = |place: usize| match fields[place] {
        Field::Double(value) => Some(*value),
        _ => None,
    };
    let reals = |range: std::ops::Range<usize>| {
        range.map(|place| Some(real(place)?.unwrap_or(f32::NAN))).collect::<Option<Vec<f32>>>()
    };
    let split = match fields[4] {
        Field::Str(name) => Split::from_name(name)?,
        _ => return None,
    };
    let is_answer = match fields[6] {
        Field::Bool(value) => *value,
        _ => return None,
    };
    let distribution = match fields[16] {
        Field::Null => None,
        Field::ListInternal(list) => {
            let element = |field: &Field| match field {
                Field::Float(value) => Some(*value),
                _ => None,
            };
            Some(list.elements().iter().map(element).collect::<Option<Vec<f32>>>()?)
        }
        _ => return None,
    };
    Some(TokenRecord {
        instance: long(0)?,
        problem: long(1)?,
        size: integer(2)??,
        own_size: integer(3)??,
        split,
        position: integer(5)??,
        is_answer,
        input_token: integer(7)??,
        target: integer(8)??,
        predicted: integer(9)?,
        confidence: real(11)?,
        depth: integer(12)??,
        depth_at_token: integer(13)?,
        expected_depth: real(14)?,
        expected_depth_at_token: real(15)?,
        distribution,
        flops: double(17)?,
        dense_flops: double(18)?,
        complexities: reals(first..first + count)?,
        features: reals(first + count..fields.len())?,
    })
}

/// Checks that every column is inside the file of `length` bytes and has one value for each row or, if it holds lists, at
/// least one. The reader takes for granted that these numbers are not negative, and makes room for what they promise.
fn check_places(metadata: &ParquetMetaData, length: u64) -> Result<(), String> {
    let inside = |start: i64, size: i64| start >= 0 && size >= 0 && start.saturating_add(size) as u64 <= length;
    for group in metadata.row_groups() {
        let rows = group.num_rows();
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let (size, values) = (column.compressed_size(), column.num_values());
            let name = column.column_path();
            if !inside(start, size) || !inside(column.data_page_offset(), 0) {
                return Err(format!(
                    "column {name}: expected bytes of a file of {length}, found {size} from {start} on"
                ));
            }
            let is_list = column.column_descr().max_rep_level() > 0;
            if rows < 0 || values < rows || (values != rows && !is_list) {
                return Err(format!("column {name}: expected a value for each of {rows} rows, found {values}"));
            }
        }
    }
    Ok(())
}

/// Reads the tokens of an evaluation into a table for the measures.
///
/// # Errors
/// [`Error::Damaged`] naming the column.
pub fn read_tokens(path: &Path) -> Result<TokenTable> {
    decode(path, table)
}

/// The rows of a file.
fn table(reader: &SerializedFileReader<File>) -> Result<TokenTable, String> {
    let mut columns = TokenColumns::default();
    let mut complexities: BTreeMap<String, Vec<Option<f32>>> = BTreeMap::new();
    let mut features: BTreeMap<String, Vec<Option<f32>>> = BTreeMap::new();
    for row in reader.get_row_iter(None).map_err(|error| error.to_string())? {
        let row = row.map_err(|error| error.to_string())?;
        for (name, field) in row.get_column_iter() {
            let real = || match field {
                Field::Float(value) => Some(*value),
                _ => None,
            };
            let integer = || match field {
                Field::Int(value) => Some(*value as u32),
                _ => None,
            };
            match (name.as_str(), field) {
                ("instance", Field::Long(value)) => columns.instance.push(*value as u64),
                ("problem", Field::Long(value)) => columns.problem.push(*value as u64),
                ("size", Field::Int(value)) => columns.size.push(*value as u32),
                ("own_size", Field::Int(value)) => columns.own_size.push(*value as u32),
                ("split", Field::Str(value)) => {
                    columns.split.push(Split::from_name(value).ok_or_else(|| format!("there is no split `{value}`"))?);
                }
                ("position", Field::Int(value)) => columns.position.push(*value as u32),
                ("is_answer", Field::Bool(value)) => columns.is_answer.push(*value),
                ("input_token", Field::Int(value)) => columns.input_token.push(*value as u32),
                ("correct", Field::Bool(value)) => columns.correct.push(Some(*value)),
                ("correct", _) => columns.correct.push(None),
                ("confidence", _) => columns.confidence.push(real()),
                ("depth", Field::Int(value)) => columns.depth.push(*value as u32),
                ("depth_at_token", _) => columns.depth_at_token.push(integer()),
                ("expected_depth", _) => columns.expected_depth.push(real()),
                ("expected_depth_at_token", _) => columns.expected_depth_at_token.push(real()),
                ("flops", Field::Double(value)) => columns.flops.push(*value),
                ("dense_flops", Field::Double(value)) => columns.dense_flops.push(*value),
                (name, _) => {
                    if let Some(name) = name.strip_prefix("complexity_") {
                        complexities.entry(name.to_owned()).or_default().push(real());
                    } else if let Some(name) = name.strip_prefix("feature_") {
                        features.entry(name.to_owned()).or_default().push(real());
                    }
                }
            }
        }
    }
    columns.complexities = complexities;
    columns.features = features;
    TokenTable::new(columns).map_err(|error| error.to_string())
}
