//! A small GGUF writer for tests and the tiny model's generator.
//!
//! It writes what it is told to, malformed files included, because tests need files that a reader must refuse.

use crate::header::{DEFAULT_ALIGNMENT, MAGIC};
use crate::tensor::TensorType;
use crate::value::ValueType;

/// A file to be written.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Version of the format.
    pub version: u32,
    /// Alignment of tensor data in bytes. If it is not the default, `general.alignment` is written as well.
    pub alignment: u32,
    /// Keys and values, in file order.
    pub metadata: Vec<(String, Value)>,
    /// The tensors, in file order.
    pub tensors: Vec<Tensor>,
}

/// A metadata value to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An unsigned 32-bit integer.
    U32(u32),
    /// A 32-bit float.
    F32(f32),
    /// A flag.
    Bool(bool),
    /// A string.
    Str(String),
    /// An array of strings.
    Strings(Vec<Vec<u8>>),
    /// An array of 32-bit floats.
    F32s(Vec<f32>),
    /// An array of signed 32-bit integers.
    I32s(Vec<i32>),
    /// Any type number, and the value's raw bytes.
    Raw(u32, Vec<u8>),
}

/// A tensor to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: Vec<u8>,
    /// The number of its type, which need not be a [`TensorType`].
    pub type_id: u32,
    /// Its dimensions, fastest-varying first.
    pub dims: Vec<u64>,
    /// Its offset in the tensor data in bytes; `None` places it after the previous tensor.
    pub offset: Option<u64>,
    /// Its data.
    pub data: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Writer {
            version: 3,
            alignment: DEFAULT_ALIGNMENT as u32,
            metadata: Vec::new(),
            tensors: Vec::new(),
        }
    }
}

impl Writer {
    /// An empty file of version 3 with the default alignment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, or replaces its value.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        match self.metadata.iter_mut().find(|(k, _)| k == key) {
            Some(entry) => entry.1 = value,
            None => self.metadata.push((key.to_owned(), value)),
        }
        self
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) -> &mut Self {
        self.metadata.retain(|(k, _)| k != key);
        self
    }

    /// Adds a tensor; `dims` lists its dimensions, fastest-varying first.
    pub fn tensor(
        &mut self,
        name: &str,
        kind: TensorType,
        dims: &[u64],
        data: Vec<u8>,
    ) -> &mut Self {
        let (name, dims) = (name.as_bytes().to_vec(), dims.to_vec());
        self.tensors.push(Tensor { name, type_id: kind as u32, dims, offset: None, data });
        self
    }

    /// Mutable access to the tensor with this name.
    pub fn tensor_mut(&mut self, name: &str) -> Option<&mut Tensor> {
        self.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes())
    }

    /// The bytes of the whole file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut out, _) = self.to_header();
        for tensor in &self.tensors {
            self.pad(&mut out);
            out.extend(&tensor.data);
        }
        self.pad(&mut out);
        out
    }

    /// The beginning of the file, up to its tensor data, and the length of the whole file in bytes.
    pub fn to_header(&self) -> (Vec<u8>, u64) {
        let own_alignment = u64::from(self.alignment) != DEFAULT_ALIGNMENT;
        let alignment_entry = ("general.alignment".to_owned(), Value::U32(self.alignment));
        let entries: Vec<_> =
            own_alignment.then_some(&alignment_entry).into_iter().chain(&self.metadata).collect();

        let mut out = MAGIC.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((entries.len() as u64).to_le_bytes());
        for (key, value) in entries {
            put_string(&mut out, key.as_bytes());
            value.put(&mut out);
        }
        let mut next = 0;
        for tensor in &self.tensors {
            let offset = tensor.offset.unwrap_or(next);
            put_string(&mut out, &tensor.name);
            out.extend((tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
            out.extend(tensor.type_id.to_le_bytes());
            out.extend(offset.to_le_bytes());
            next += (tensor.data.len() as u64).next_multiple_of(self.padding() as u64);
        }
        let file_len = (out.len() as u64).next_multiple_of(self.padding() as u64) + next;
        (out, file_len)
    }

    fn pad(&self, out: &mut Vec<u8>) {
        out.resize(out.len().next_multiple_of(self.padding()), 0);
    }

    /// The alignment, clamped to values that the file can be padded to.
    fn padding(&self) -> usize {
        self.alignment.clamp(1, 1 << 16) as usize
    }
}

impl Value {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Value::U32(x) => put_scalar(out, ValueType::U32, &x.to_le_bytes()),
            Value::F32(x) => put_scalar(out, ValueType::F32, &x.to_le_bytes()),
            Value::Bool(b) => put_scalar(out, ValueType::Bool, &[u8::from(*b)]),
            Value::Str(s) => {
                out.extend((ValueType::Str as u32).to_le_bytes());
                put_string(out, s.as_bytes());
            }
            Value::Strings(strings) => {
                put_array(out, ValueType::Str, strings.len());
                strings.iter().for_each(|s| put_string(out, s));
            }
            Value::F32s(xs) => {
                put_array(out, ValueType::F32, xs.len());
                xs.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
            Value::I32s(xs) => {
                put_array(out, ValueType::I32, xs.len());
                xs.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
            Value::Raw(type_id, bytes) => {
                out.extend(type_id.to_le_bytes());
                out.extend(bytes);
            }
        }
    }
}

fn put_scalar(out: &mut Vec<u8>, kind: ValueType, bytes: &[u8]) {
    out.extend((kind as u32).to_le_bytes());
    out.extend(bytes);
}

fn put_array(out: &mut Vec<u8>, element: ValueType, len: usize) {
    out.extend((ValueType::Array as u32).to_le_bytes());
    out.extend((element as u32).to_le_bytes());
    out.extend((len as u64).to_le_bytes());
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

impl From<u32> for Value {
    fn from(x: u32) -> Self {
        Value::U32(x)
    }
}

impl From<f32> for Value {
    fn from(x: f32) -> Self {
        Value::F32(x)
    }
}

impl From<bool> for Value {
    fn from(x: bool) -> Self {
        Value::Bool(x)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Str(s.to_owned())
    }
}
