//! Named columns as a Parquet file with type information for pandas.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use serde_json::json;

/// One column: a value for every row.
pub struct Column {
    name: String,
    values: Values,
}

/// Values by type; `None` is null.
pub enum Values {
    /// Whole numbers of 64 bits.
    Long(Vec<i64>),
    /// Whole numbers of 32 bits.
    Integer(Vec<i32>),
    /// Whole numbers of 32 bits, some missing.
    OptionalInteger(Vec<Option<i32>>),
    /// Truth values.
    Flag(Vec<bool>),
    /// Truth values, some missing.
    OptionalFlag(Vec<Option<bool>>),
    /// Numbers of 64 bits.
    Double(Vec<f64>),
    /// Numbers of 32 bits, some missing.
    OptionalReal(Vec<Option<f32>>),
    /// Lists of numbers of 32 bits, some missing.
    OptionalReals(Vec<Option<Vec<f32>>>),
    /// Words.
    Word(Vec<&'static str>),
}

impl Column {
    /// A column called `name`.
    pub fn new(name: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), values }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> Result<Arc<Type>> {
        let of = |physical: Physical, repetition: Repetition| {
            let builder = Type::primitive_type_builder(&self.name, physical).with_repetition(repetition);
            let text = (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String);
            builder.with_logical_type(text).build().map(Arc::new)
        };
        match &self.values {
            Values::Long(_) => of(Physical::INT64, Repetition::REQUIRED),
            Values::Integer(_) => of(Physical::INT32, Repetition::REQUIRED),
            Values::OptionalInteger(_) => of(Physical::INT32, Repetition::OPTIONAL),
            Values::Flag(_) => of(Physical::BOOLEAN, Repetition::REQUIRED),
            Values::OptionalFlag(_) => of(Physical::BOOLEAN, Repetition::OPTIONAL),
            Values::Double(_) => of(Physical::DOUBLE, Repetition::REQUIRED),
            Values::OptionalReal(_) => of(Physical::FLOAT, Repetition::OPTIONAL),
            Values::Word(_) => of(Physical::BYTE_ARRAY, Repetition::REQUIRED),
            Values::OptionalReals(_) => {
                let element = Type::primitive_type_builder("element", Physical::FLOAT);
                let element = Arc::new(element.with_repetition(Repetition::REQUIRED).build()?);
                let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
                let list = Arc::new(list.with_fields(vec![element]).build()?);
                let outer = Type::group_type_builder(&self.name).with_repetition(Repetition::OPTIONAL);
                outer.with_logical_type(Some(LogicalType::List)).with_fields(vec![list]).build().map(Arc::new)
            }
        }
    }

    /// Names of the type for pandas: without them it reads whole numbers with gaps as floats, and flags as objects.
    fn pandas(&self) -> serde_json::Value {
        let (pandas, numpy) = match &self.values {
            Values::Long(_) => ("int64", "int64"),
            Values::Integer(_) => ("int32", "int32"),
            Values::OptionalInteger(_) => ("int32", "Int32"),
            Values::Flag(_) => ("bool", "bool"),
            Values::OptionalFlag(_) => ("bool", "boolean"),
            Values::Double(_) => ("float64", "float64"),
            Values::OptionalReal(_) => ("float32", "float32"),
            Values::OptionalReals(_) => ("list[float32]", "object"),
            Values::Word(_) => ("unicode", "object"),
        };
        json!({
            "name": self.name, "field_name": self.name, "pandas_type": pandas, "numpy_type": numpy, "metadata": null,
        })
    }

    fn write(&self, column: &mut SerializedColumnWriter) -> Result<()> {
        match &self.values {
            Values::Long(values) => all::<Int64Type>(column, values),
            Values::Integer(values) => all::<Int32Type>(column, values),
            Values::OptionalInteger(values) => some::<Int32Type>(column, values),
            Values::Flag(values) => all::<BoolType>(column, values),
            Values::OptionalFlag(values) => some::<BoolType>(column, values),
            Values::Double(values) => all::<DoubleType>(column, values),
            Values::OptionalReal(values) => some::<FloatType>(column, values),
            Values::Word(values) => {
                let values: Vec<ByteArray> = values.iter().map(|word| (*word).into()).collect();
                all::<ByteArrayType>(column, &values)
            }
            Values::OptionalReals(lists) => {
                let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
                for list in lists {
                    let list = list.as_deref();
                    // Dremel levels: definition 0 is no list, 1 an empty list, 2 an element; repetition 1 continues a
                    // list.
                    let level = list.map_or(0, |list| if list.is_empty() { 1 } else { 2 });
                    let entries = list.map_or(1, |list| list.len().max(1));
                    definitions.extend(std::iter::repeat_n(level, entries));
                    repetitions.extend((0..entries).map(|place| i16::from(place > 0)));
                    values.extend_from_slice(list.unwrap_or_default());
                }
                let writer = column.typed::<FloatType>();
                writer.write_batch(&values, Some(&definitions), Some(&repetitions)).map(|_| ())
            }
        }
    }
}

fn all<T: DataType>(column: &mut SerializedColumnWriter, values: &[T::T]) -> Result<()> {
    column.typed::<T>().write_batch(values, None, None).map(|_| ())
}

fn some<T: DataType>(column: &mut SerializedColumnWriter, values: &[Option<T::T>]) -> Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.iter().flatten().cloned().collect();
    column.typed::<T>().write_batch(&present, Some(&levels), None).map(|_| ())
}

/// The bytes of a file with these columns.
///
/// # Errors
/// If the columns cannot form a Parquet file, for example because their lengths differ.
pub fn encode(columns: &[Column]) -> Result<Vec<u8>> {
    let fields = columns.iter().map(Column::schema).collect::<Result<_>>()?;
    let schema = Arc::new(Type::group_type_builder("token").with_fields(fields).build()?);
    let pandas = json!({
        "index_columns": [],
        "column_indexes": [],
        "columns": columns.iter().map(Column::pandas).collect::<Vec<_>>(),
        "creator": { "library": "haltbench", "version": env!("CARGO_PKG_VERSION") },
        "pandas_version": "2.0.0",
    });
    let metadata = KeyValue::new("pandas".to_owned(), pandas.to_string());
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let properties = properties.set_key_value_metadata(Some(vec![metadata])).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for column in columns {
        let next = group.next_column()?;
        let mut next = next.ok_or_else(|| ParquetError::General("more columns than the schema has".to_owned()))?;
        column.write(&mut next)?;
        next.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}
