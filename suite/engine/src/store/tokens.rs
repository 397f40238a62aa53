//! `tokens.parquet`: one row for each evaluated token.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use haltbench_analysis::{Split, TokenColumns, TokenTable};
use haltbench_sdk::task::TaskSpec;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::atomic::write_atomic;
use super::result::split_name;
use crate::error::{Error, Result};

/// One evaluated token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRecord {
    /// Number of the instance within the evaluation.
    pub instance: u64,
    /// Size of the instance.
    pub size: u32,
    /// Where the size stands.
    pub split: Split,
    /// Index of the target token in its sequence.
    pub position: u32,
    /// Whether it is under the loss.
    pub is_answer: bool,
    /// Steps spent on predicting it.
    pub depth: u32,
    /// Expected depth, of policies that have a distribution.
    pub expected_depth: Option<f32>,
    /// The right token.
    pub target: u32,
    /// The predicted token, of answer tokens.
    pub predicted: Option<u32>,
    /// Probability of the predicted token, of answer tokens.
    pub confidence: Option<f32>,
    /// Complexities in the task's order; NaN where undefined.
    pub complexities: Vec<f32>,
    /// Features in the task's order; NaN where undefined.
    pub features: Vec<f32>,
}

type ParquetResult<T> = parquet::errors::Result<T>;

fn column(name: &str, physical: Physical, repetition: Repetition) -> ParquetResult<Arc<Type>> {
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    let builder = match physical {
        Physical::BYTE_ARRAY => builder.with_logical_type(Some(LogicalType::String)),
        _ => builder,
    };
    builder.build().map(Arc::new)
}

/// Writes the tokens of an evaluation.
///
/// # Errors
/// [`Error::File`] naming the path.
pub fn write_tokens(path: &Path, spec: &TaskSpec, tokens: &[TokenRecord]) -> Result<()> {
    let bytes = encode(spec, tokens)
        .map_err(|error| Error::file(path, "cannot be encoded")(std::io::Error::other(error.to_string())))?;
    write_atomic(path, &bytes)
}

fn encode(spec: &TaskSpec, tokens: &[TokenRecord]) -> ParquetResult<Vec<u8>> {
    let (nullable, required) = (Repetition::OPTIONAL, Repetition::REQUIRED);
    let mut fields = vec![
        column("instance", Physical::INT64, required)?,
        column("size", Physical::INT32, required)?,
        column("split", Physical::BYTE_ARRAY, required)?,
        column("position", Physical::INT32, required)?,
        column("is_answer", Physical::BOOLEAN, required)?,
        column("depth", Physical::INT32, required)?,
        column("expected_depth", Physical::FLOAT, nullable)?,
        column("target", Physical::INT32, required)?,
        column("predicted", Physical::INT32, nullable)?,
        column("correct", Physical::BOOLEAN, nullable)?,
        column("confidence", Physical::FLOAT, nullable)?,
    ];
    for complexity in &spec.complexities {
        fields.push(column(&format!("complexity_{}", complexity.name), Physical::FLOAT, nullable)?);
    }
    for feature in &spec.features {
        fields.push(column(&format!("feature_{}", feature.name), Physical::FLOAT, nullable)?);
    }
    let schema = Arc::new(Type::group_type_builder("token").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let mut next = |write: &dyn Fn(&mut SerializedColumnWriter) -> ParquetResult<()>| -> ParquetResult<()> {
        let Some(mut column) = group.next_column()? else {
            return Err(parquet::errors::ParquetError::General("more columns than the schema has".to_owned()));
        };
        write(&mut column)?;
        column.close()
    };
    let integers = |get: &dyn Fn(&TokenRecord) -> i32, column: &mut SerializedColumnWriter| {
        let values: Vec<i32> = tokens.iter().map(get).collect();
        column.typed::<Int32Type>().write_batch(&values, None, None).map(|_| ())
    };
    let floats = |get: &dyn Fn(&TokenRecord) -> Option<f32>, column: &mut SerializedColumnWriter| {
        let (levels, values) = optional(tokens.iter().map(get));
        column.typed::<FloatType>().write_batch(&values, Some(&levels), None).map(|_| ())
    };
    next(&|column| {
        let values: Vec<i64> = tokens.iter().map(|token| token.instance as i64).collect();
        column.typed::<Int64Type>().write_batch(&values, None, None).map(|_| ())
    })?;
    next(&|column| integers(&|token| token.size as i32, column))?;
    next(&|column| {
        let values: Vec<ByteArray> = tokens.iter().map(|token| split_name(token.split).into()).collect();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).map(|_| ())
    })?;
    next(&|column| integers(&|token| token.position as i32, column))?;
    next(&|column| {
        let values: Vec<bool> = tokens.iter().map(|token| token.is_answer).collect();
        column.typed::<BoolType>().write_batch(&values, None, None).map(|_| ())
    })?;
    next(&|column| integers(&|token| token.depth as i32, column))?;
    next(&|column| floats(&|token| token.expected_depth, column))?;
    next(&|column| integers(&|token| token.target as i32, column))?;
    next(&|column| {
        let (levels, values) = optional(tokens.iter().map(|token| token.predicted.map(|token| token as i32)));
        column.typed::<Int32Type>().write_batch(&values, Some(&levels), None).map(|_| ())
    })?;
    next(&|column| {
        let correct = |token: &TokenRecord| token.predicted.map(|predicted| predicted == token.target);
        let (levels, values) = optional(tokens.iter().map(correct));
        column.typed::<BoolType>().write_batch(&values, Some(&levels), None).map(|_| ())
    })?;
    next(&|column| floats(&|token| token.confidence, column))?;
    let defined = |value: f32| (!value.is_nan()).then_some(value);
    for index in 0..spec.complexities.len() {
        next(&|column| floats(&|token| defined(token.complexities[index]), column))?;
    }
    for index in 0..spec.features.len() {
        next(&|column| floats(&|token| defined(token.features[index]), column))?;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

/// Definition levels and present values of an optional column.
fn optional<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<i16>, Vec<T>) {
    let mut levels = Vec::new();
    let present = values.filter_map(|value| {
        levels.push(i16::from(value.is_some()));
        value
    });
    let present = present.collect();
    (levels, present)
}

/// Reads the tokens of an evaluation as the table that measures are computed from.
///
/// # Errors
/// [`Error::Damaged`] naming the column.
pub fn read_tokens(path: &Path) -> Result<TokenTable> {
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let file = File::open(path).map_err(Error::file(path, "cannot be read"))?;
    let reader = SerializedFileReader::new(file).map_err(|error| damaged(error.to_string()))?;
    let mut columns = TokenColumns::default();
    let mut complexities: BTreeMap<String, Vec<Option<f32>>> = BTreeMap::new();
    let mut features: BTreeMap<String, Vec<Option<f32>>> = BTreeMap::new();
    for row in reader.get_row_iter(None).map_err(|error| damaged(error.to_string()))? {
        let row = row.map_err(|error| damaged(error.to_string()))?;
        for (name, field) in row.get_column_iter() {
            let real = || match field {
                Field::Float(value) => Some(*value),
                _ => None,
            };
            match (name.as_str(), field) {
                ("instance", Field::Long(value)) => columns.instance.push(*value as u64),
                ("size", Field::Int(value)) => columns.size.push(*value as u32),
                ("split", Field::Str(value)) => columns.split.push(match value.as_str() {
                    "embedded" => Split::Embedded,
                    "between" => Split::Between,
                    "beyond" => Split::Beyond,
                    _ => Split::InRange,
                }),
                ("position", Field::Int(value)) => columns.position.push(*value as u32),
                ("is_answer", Field::Bool(value)) => columns.is_answer.push(*value),
                ("depth", Field::Int(value)) => columns.depth.push(*value as u32),
                ("expected_depth", _) => columns.expected_depth.push(real()),
                ("correct", Field::Bool(value)) => columns.correct.push(Some(*value)),
                ("correct", _) => columns.correct.push(None),
                ("confidence", _) => columns.confidence.push(real()),
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
    TokenTable::new(columns).map_err(|error| damaged(error.to_string()))
}
