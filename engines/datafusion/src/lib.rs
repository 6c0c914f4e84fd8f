//! The model as a function of DataFusion's SQL:
//!
//! ```sql
//! SELECT id, embed(text) FROM passages;
//! SELECT id, embed(text, 'document', 256) FROM passages;
//! ```
//!
//! The prompt, a name of the model's or NULL, and the number of dimensions are literals. The result is a
//! `FixedSizeList` of that many float32; a text that is NULL has none.
//!
//! A query should not hold a worker of tokio for the minutes that a batch of 8192 texts takes. So the function is
//! asynchronous, takes [`ROWS`] texts at a time to a thread where it may block, and ends them when the query is
//! dropped. All partitions share one [`Embedder`], which uses all of its threads for each call.

use async_trait::async_trait;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array};
use datafusion_common::arrow::buffer::NullBuffer;
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{DataFusionError, Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use monomorph::{EmbedOptions, Embedder};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Texts of a call of the library.
pub const ROWS: usize = 256;

/// The function `embed(text [, prompt [, dimensions]])` of an open model.
pub fn embed_udf(embedder: Arc<Embedder>) -> ScalarUDF {
    // Types are checked below: of an asynchronous function DataFusion does not ask what they could be cast to.
    let numbers = (1..=3).map(TypeSignature::Any).collect();
    let signature = Signature::one_of(numbers, Volatility::Immutable);
    AsyncScalarUDF::new(Arc::new(Embed { embedder, signature })).into_scalar_udf()
}

struct Embed {
    embedder: Arc<Embedder>,
    signature: Signature,
}

impl fmt::Debug for Embed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embed").field("model", &self.embedder.info()).finish_non_exhaustive()
    }
}

impl PartialEq for Embed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.embedder, &other.embedder)
    }
}

impl Eq for Embed {}

impl Hash for Embed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.embedder).hash(state);
    }
}

impl ScalarUDFImpl for Embed {
    fn name(&self) -> &str {
        "embed"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type depends on the number of dimensions")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields[0].data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {}
            DataType::Dictionary(_, values) if values.is_string() => {}
            other => return plan_err!("embed takes a text, not {other}"),
        }
        let literal = |i: usize, what: &str| match args.scalar_arguments.get(i) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(*value)),
            Some(None) => plan_err!("embed: the {what} must be a literal"),
        };
        self.prompt(literal(1, "prompt")?)?;
        let largest = self.embedder.info().dimensions;
        let dimensions = match literal(2, "number of dimensions")? {
            None => largest,
            Some(value) => match value.cast_to(&DataType::Int64)? {
                ScalarValue::Int64(Some(asked)) if (1..=largest as i64).contains(&asked) => {
                    asked as usize
                }
                other => {
                    return plan_err!("embed: {other} dimensions; the model has 1 to {largest}");
                }
            },
        };
        let is_nullable = args.arg_fields.first().is_some_and(|text| text.is_nullable());
        Ok(Arc::new(Field::new(self.name(), vector_type(dimensions), is_nullable)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("embed is asynchronous")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Embed {
    fn ideal_batch_size(&self) -> Option<usize> {
        Some(ROWS)
    }

    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::FixedSizeList(_, dimensions) = args.return_type() else {
            return internal_err!("embed returns {}", args.return_type());
        };
        let dimensions = *dimensions as usize;
        let prompt = match args.args.get(1) {
            Some(ColumnarValue::Scalar(name)) => self.prompt(Some(name))?,
            None => None,
            Some(ColumnarValue::Array(_)) => return internal_err!("embed: the prompt is a column"),
        };
        // What is one text for all rows is embedded once. DataFusion wants a row each all the same.
        let (texts, repeat) = match &args.args[0] {
            ColumnarValue::Array(texts) => (texts.clone(), 1),
            ColumnarValue::Scalar(text) => (text.to_array()?, args.number_rows),
        };
        let cancel = CancelOnDrop(Arc::new(AtomicBool::new(false)));
        let options = EmbedOptions {
            prompt,
            dimensions: Some(dimensions),
            cancel: Some(cancel.0.clone()),
            ..EmbedOptions::default()
        };
        let embedder = self.embedder.clone();
        let work = move || vectors(&embedder, &texts, repeat, &options);
        let array = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| DataFusionError::External(error.into()))??;
        Ok(ColumnarValue::Array(Arc::new(array)))
    }
}

impl Embed {
    /// The prompt of this name; none for NULL.
    fn prompt(&self, name: Option<&ScalarValue>) -> Result<Option<monomorph::Prompt>> {
        let Some(name) = name.and_then(|name| name.try_as_str().flatten()) else {
            return Ok(None);
        };
        self.embedder.prompt(name).map(Some).or_else(|error| plan_err!("embed: {error}"))
    }
}

/// Ends the work on a batch when nobody waits for it any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Float32, false))
}

fn vector_type(dimensions: usize) -> DataType {
    DataType::FixedSizeList(item(), dimensions as i32)
}

/// The vectors of a column of texts, each `repeat` times. Nulls stay null.
fn vectors(
    embedder: &Embedder,
    texts: &ArrayRef,
    repeat: usize,
    options: &EmbedOptions,
) -> Result<FixedSizeListArray> {
    let texts = match texts.data_type() {
        DataType::Dictionary(..) | DataType::Null => &cast(texts, &DataType::Utf8)?,
        _ => texts,
    };
    let strings: Vec<Option<&str>> = match texts.data_type() {
        DataType::Utf8 => texts.as_string::<i32>().iter().collect(),
        DataType::LargeUtf8 => texts.as_string::<i64>().iter().collect(),
        DataType::Utf8View => texts.as_string_view().iter().collect(),
        other => return internal_err!("embed: a column of {other}"),
    };
    let filled: Vec<&str> = strings.iter().flatten().copied().collect();
    let dimensions = options.dimensions.unwrap_or(embedder.info().dimensions);
    let mut rows = vec![0.0; filled.len() * dimensions];
    embedder
        .run_into(&filled, options, None, &mut rows, |_| ())
        .map_err(|error| DataFusionError::External(error.into()))?;
    let is_text: Vec<bool> = strings.iter().map(Option::is_some).collect();
    if repeat == 1 && filled.len() == strings.len() {
        return array(rows, dimensions, None);
    }
    let mut values = Vec::with_capacity(strings.len() * repeat * dimensions);
    let mut next = rows.chunks_exact(dimensions);
    let null = vec![0.0; dimensions];
    for &is_text in &is_text {
        let row = if is_text { next.next().unwrap_or(&null) } else { &null };
        (0..repeat).for_each(|_| values.extend_from_slice(row));
    }
    let validity: NullBuffer =
        is_text.iter().flat_map(|&is_text| std::iter::repeat_n(is_text, repeat)).collect();
    array(values, dimensions, Some(validity).filter(|validity| validity.null_count() > 0))
}

fn array(
    values: Vec<f32>,
    dimensions: usize,
    validity: Option<NullBuffer>,
) -> Result<FixedSizeListArray> {
    let values = Arc::new(Float32Array::from(values));
    Ok(FixedSizeListArray::try_new(item(), dimensions as i32, values, validity)?)
}
