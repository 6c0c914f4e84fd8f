//! The values of a column that texts and ids are read from.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::super::{Found, Id};

/// Whether a column's values are text, themselves or by a dictionary.
pub fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_text(values),
        kind => matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// What is in a column that is not text, in words.
pub fn in_words(kind: &DataType) -> String {
    match kind {
        DataType::Null => "empty: each of its values is null".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            "bytes without a type, not text; write it as a column of strings".to_owned()
        }
        DataType::FixedSizeBinary(_) => "bytes, not text".to_owned(),
        DataType::Dictionary(_, values) => in_words(values),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(..) => "lists, not text".to_owned(),
        DataType::Struct(_) => "records, not text".to_owned(),
        DataType::Map(..) => "maps, not text".to_owned(),
        DataType::Union(..) => "a union of types, not text".to_owned(),
        DataType::RunEndEncoded(..) => "run-end encoded, which is not read".to_owned(),
        plain => format!("{}, not text", plain.to_string().to_lowercase()),
    }
}

/// The string of a row of a text column; none if it is null.
pub fn text_at(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let text = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row),
        DataType::Utf8View => column.as_string_view().value(row),
        DataType::Dictionary(..) => {
            let (values, row) = in_dictionary(column, row)?;
            return text_at(values, row);
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// The id of a row.
pub fn id_at(column: &ArrayRef, row: usize) -> Found {
    if column.is_null(row) {
        return Found::None;
    }
    if let Some(id) = integer_at(column, row) {
        return Found::Id(id);
    }
    let float = match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row),
        DataType::Float32 => column.as_primitive::<Float32Type>().value(row).into(),
        DataType::Dictionary(..) => {
            return in_dictionary(column, row)
                .map_or(Found::None, |(values, row)| id_at(values, row));
        }
        kind if is_text(kind) => {
            return text_at(column, row).map_or(Found::None, |id| Found::Id(Id::String(id)));
        }
        kind => return Found::Other(kind.to_string().to_lowercase()),
    };
    // Pandas makes floats of integers where one of them is missing.
    Id::of_float(float).map_or_else(|| Found::Other(float.to_string()), Found::Id)
}

fn integer_at(column: &ArrayRef, row: usize) -> Option<Id> {
    Some(match column.data_type() {
        DataType::Int8 => Id::of_signed(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Id::of_signed(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Id::of_signed(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Id::of_signed(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Id::Unsigned(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Id::Unsigned(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Id::Unsigned(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Id::Unsigned(column.as_primitive::<UInt64Type>().value(row)),
        _ => return None,
    })
}

/// The values of a dictionary, and the row among them that a row of the column names.
fn in_dictionary(column: &ArrayRef, row: usize) -> Option<(&ArrayRef, usize)> {
    let dictionary = column.as_any_dictionary();
    let keys = dictionary.keys().slice(row, 1);
    let row = match integer_at(&keys, 0)? {
        Id::Unsigned(key) => usize::try_from(key).ok()?,
        _ => return None,
    };
    let values = dictionary.values();
    (row < values.len()).then_some((values, row))
}
