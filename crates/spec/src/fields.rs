//! Declares the fields of a description once. Everything else follows from the declaration: the Rust source that a
//! build writes, the differences between two models, and the walk over tensors.
//!
//! A description is generic over what stands for a tensor. In [`arch`](crate::arch) this is the tensor's name, in a
//! [`Spec`](crate::Spec) its place in the file, and in the encoder the bytes it was found at.
//! [`place`](crate::place::place) leads from the first to the second, and [`Parts::map_tensors`] from the second
//! to the third.

use crate::Tensor;
use monomorph_gguf::TensorType;
use std::borrow::Cow;

/// A value of a description, in a form that generated code and messages can show.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A struct's name and its fields.
    Struct(&'static str, Vec<(&'static str, Node)>),
    /// The names of an enum and of its variant, and what the variant holds.
    Variant(&'static str, &'static str, Vec<Node>),
    /// An array of fixed length.
    Array(Vec<Node>),
    /// A list that generated code borrows as `Cow::Borrowed(&[...])`.
    List(Vec<Node>),
    /// A list that generated code borrows as `&[...]`.
    Slice(Vec<Node>),
    /// An optional value.
    Option(Option<Box<Node>>),
    /// A text that generated code borrows as `Cow::Borrowed("...")`.
    Text(String),
    /// A text that generated code borrows as `"..."`.
    Str(&'static str),
    /// An integer.
    Integer(u64),
    /// A float.
    Float(f32),
    /// A flag.
    Bool(bool),
    /// A tensor.
    Tensor(Tensor),
}

/// A part of a description.
pub trait Describe {
    /// This value as a [`Node`].
    fn node(&self) -> Node;
}

/// A type that may stand for a tensor.
pub trait Leaf {}
impl Leaf for Tensor {}
impl Leaf for &'static str {}
impl Leaf for () {}

/// A part of a description in which `T` stands for a tensor.
pub trait Parts<T> {
    /// The same part with `U` in place of `T`.
    type With<U: Leaf>;
    /// Replaces every tensor, in the order of declaration.
    fn map_tensors<U: Leaf>(&self, f: &mut dyn FnMut(&T) -> U) -> Self::With<U>;
}

impl<T: Leaf> Parts<T> for T {
    type With<U: Leaf> = U;
    fn map_tensors<U: Leaf>(&self, f: &mut dyn FnMut(&T) -> U) -> U {
        f(self)
    }
}

impl<T> Parts<T> for bool {
    type With<U: Leaf> = bool;
    fn map_tensors<U: Leaf>(&self, _: &mut dyn FnMut(&T) -> U) -> bool {
        *self
    }
}

impl<T: Leaf, P: Parts<T>> Parts<T> for Option<P> {
    type With<U: Leaf> = Option<P::With<U>>;
    fn map_tensors<U: Leaf>(&self, f: &mut dyn FnMut(&T) -> U) -> Self::With<U> {
        self.as_ref().map(|part| part.map_tensors(f))
    }
}

impl<T: Leaf, P: Parts<T>, const N: usize> Parts<T> for [P; N] {
    type With<U: Leaf> = [P::With<U>; N];
    fn map_tensors<U: Leaf>(&self, f: &mut dyn FnMut(&T) -> U) -> Self::With<U> {
        self.each_ref().map(|part| Parts::map_tensors(part, f))
    }
}

/// Declares a struct, or an enum whose variants hold one value or none, as a part of a description.
///
/// With `<T>` after its name, it is generic over what stands for a tensor.
macro_rules! described {
    ($(#[$meta:meta])* pub struct $name:ident<T> { $($(#[$doc:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name<T> { $($(#[$doc])* pub $field: $type,)* }

        impl<T: $crate::fields::Describe> $crate::fields::Describe for $name<T> {
            fn node(&self) -> $crate::fields::Node {
                $crate::fields::Node::Struct(stringify!($name), vec![$((stringify!($field), self.$field.node())),*])
            }
        }

        impl<T: $crate::fields::Leaf> $crate::fields::Parts<T> for $name<T> {
            type With<U: $crate::fields::Leaf> = $name<U>;
            fn map_tensors<U: $crate::fields::Leaf>(&self, f: &mut dyn FnMut(&T) -> U) -> $name<U> {
                $name { $($field: $crate::fields::Parts::<T>::map_tensors(&self.$field, f)),* }
            }
        }
    };
    ($(#[$meta:meta])* pub enum $name:ident<T> { $($(#[$doc:meta])* $variant:ident $(($type:ty))?,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum $name<T> { $($(#[$doc])* $variant $(($type))?,)* }

        impl<T: $crate::fields::Describe> $crate::fields::Describe for $name<T> {
            fn node(&self) -> $crate::fields::Node {
                use $crate::fields::Node;
                match self {
                    $($crate::fields::described!(@ pattern $name $variant part $($type)?) =>
                        Node::Variant(stringify!($name), stringify!($variant),
                            $crate::fields::described!(@ nodes part $($type)?)),)*
                }
            }
        }

        impl<T: $crate::fields::Leaf> $crate::fields::Parts<T> for $name<T> {
            type With<U: $crate::fields::Leaf> = $name<U>;
            fn map_tensors<U: $crate::fields::Leaf>(&self, f: &mut dyn FnMut(&T) -> U) -> $name<U> {
                match self {
                    $($crate::fields::described!(@ pattern $name $variant part $($type)?) =>
                        $crate::fields::described!(@ mapped $name $variant part f $($type)?),)*
                }
            }
        }
    };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[$doc])* pub $field: $type,)* }

        impl $crate::fields::Describe for $name {
            fn node(&self) -> $crate::fields::Node {
                $crate::fields::Node::Struct(stringify!($name), vec![$((stringify!($field), self.$field.node())),*])
            }
        }
    };
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident $(($type:ty))?,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum $name { $($(#[$doc])* $variant $(($type))?,)* }

        impl $crate::fields::Describe for $name {
            fn node(&self) -> $crate::fields::Node {
                use $crate::fields::Node;
                match self {
                    $($crate::fields::described!(@ pattern $name $variant part $($type)?) =>
                        Node::Variant(stringify!($name), stringify!($variant),
                            $crate::fields::described!(@ nodes part $($type)?)),)*
                }
            }
        }

        impl<T> $crate::fields::Parts<T> for $name {
            type With<U: $crate::fields::Leaf> = $name;
            fn map_tensors<U: $crate::fields::Leaf>(&self, _: &mut dyn FnMut(&T) -> U) -> $name {
                *self
            }
        }
    };
    (@ pattern $name:ident $variant:ident $part:ident) => { $name::$variant };
    (@ pattern $name:ident $variant:ident $part:ident $type:ty) => { $name::$variant($part) };
    (@ nodes $part:ident) => { vec![] };
    (@ nodes $part:ident $type:ty) => { vec![$part.node()] };
    (@ mapped $name:ident $variant:ident $part:ident $f:ident) => { $name::$variant };
    (@ mapped $name:ident $variant:ident $part:ident $f:ident $type:ty) => {
        $name::$variant($crate::fields::Parts::<T>::map_tensors($part, $f))
    };
}
pub(crate) use described;

macro_rules! described_as {
    ($($type:ty: $value:ident => $node:expr;)*) => {$(
        impl Describe for $type {
            fn node(&self) -> Node {
                let $value = self;
                $node
            }
        }
    )*};
}
described_as! {
    usize: n => Node::Integer(*n as u64);
    u8: n => Node::Integer((*n).into());
    u32: n => Node::Integer((*n).into());
    u64: n => Node::Integer(*n);
    f32: x => Node::Float(*x);
    bool: flag => Node::Bool(*flag);
    &'static str: text => Node::Str(text);
    Cow<'static, str>: text => Node::Text(text.to_string());
    &'static [&'static str]: list => Node::Slice(list.iter().map(Describe::node).collect());
    TensorType: kind => Node::Variant("TensorType", kind.name(), Vec::new());
    Tensor: tensor => Node::Tensor(*tensor);
}

impl<D: Describe> Describe for Option<D> {
    fn node(&self) -> Node {
        Node::Option(self.as_ref().map(|part| Box::new(part.node())))
    }
}

impl<D: Describe, const N: usize> Describe for [D; N] {
    fn node(&self) -> Node {
        Node::Array(self.iter().map(Describe::node).collect())
    }
}

impl<D: Describe + Clone> Describe for Cow<'static, [D]> {
    fn node(&self) -> Node {
        Node::List(self.iter().map(Describe::node).collect())
    }
}
