//! The declaration of a type that is stored or sent.

/// Declares a type, and implements [`FromJson`](crate::json::FromJson) from the same list of fields or
/// variants. The type has serde's encoding.
///
/// | declaration                               | JSON                                          |
/// |-------------------------------------------|-----------------------------------------------|
/// | `struct Page { limit: u32 }`              | an object with a member for each field        |
/// | `struct Version(u64);`                    | that of the only field                        |
/// | `Start = "start"`, a variant of an enum   | the string                                    |
/// | `After(u64) = "after"`                    | an object with this one member                |
/// | `Between { from: u64 } = "between"`       | the same, and the member is an object         |
///
/// A type that is only read leaves `Serialize` out. A type has one type parameter at most.
///
/// ```
/// # use entgate::json::{from_slice, json_type};
/// # use serde::Serialize;
/// json_type! {
///     /// Where a page starts.
///     #[derive(Debug, PartialEq, Serialize)]
///     enum Cursor {
///         Start = "start",
///         After(u64) = "after",
///     }
/// }
/// assert_eq!(serde_json::to_string(&Cursor::After(7)).unwrap(), r#"{"after":7}"#);
/// assert_eq!(from_slice(br#"{"after":7}"#), Ok(Cursor::After(7)));
/// ```
///
/// What is written is also read. A variant without a name does not compile:
///
/// ```compile_fail
/// # use entgate::json::json_type;
/// # use serde::Serialize;
/// json_type! {
///     #[derive(Serialize)]
///     enum Cursor {
///         Start = "start",
///         After(u64),
///     }
/// }
/// ```
///
/// Nor does an attribute of serde that renames a member, omits it or encodes it otherwise:
///
/// ```compile_fail
/// # use entgate::json::json_type;
/// # use serde::Serialize;
/// json_type! {
///     #[derive(Serialize)]
///     struct Page {
///         #[serde(rename = "max")]
///         limit: u32,
///     }
/// }
/// ```
///
/// ```compile_fail
/// # use entgate::json::json_type;
/// # use serde::Serialize;
/// json_type! {
///     #[derive(Serialize)]
///     #[serde(rename_all = "camelCase")]
///     struct Page {
///         max_items: u32,
///     }
/// }
/// ```
///
/// Nor does a field whose type cannot be decoded:
///
/// ```compile_fail
/// # use entgate::json::json_type;
/// # use serde::Serialize;
/// json_type! {
///     #[derive(Serialize)]
///     struct Page {
///         limit: f32,
///     }
/// }
/// ```
#[macro_export]
macro_rules! json_type {
    () => {};
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),* $(,)?)])?
        $vis:vis struct $type:ident $(<$param:ident>)? {
            $($(#[doc = $field_doc:literal])* $field_vis:vis $field:ident: $field_type:ty),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        $vis struct $type $(<$param>)? {
            $($(#[doc = $field_doc])* $field_vis $field: $field_type),*
        }

        impl $(<$param: $crate::json::FromJson>)? $crate::json::FromJson for $type $(<$param>)? {
            fn from_json(
                mut value: $crate::json::JsonValue<'_>,
                decoder: &mut $crate::json::Decoder,
            ) -> Self {
                Self { $($field: decoder.decode_field(&mut value, stringify!($field))),* }
            }
        }

        $crate::json::json_type! { $($rest)* }
    };
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),* $(,)?)])?
        $vis:vis struct $type:ident($inner_vis:vis $inner:ty);
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        $vis struct $type($inner_vis $inner);

        impl $crate::json::FromJson for $type {
            fn from_json(
                value: $crate::json::JsonValue<'_>,
                decoder: &mut $crate::json::Decoder,
            ) -> Self {
                Self($crate::json::FromJson::from_json(value, decoder))
            }
        }

        $crate::json::json_type! { $($rest)* }
    };
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),* $(,)?)])?
        $vis:vis enum $type:ident $(<$param:ident>)? {
            $(
                $(#[$attribute:meta])*
                $variant:ident
                $(($inner:ty))?
                $({ $($(#[doc = $field_doc:literal])* $field:ident: $field_type:ty),* $(,)? })?
                = $name:literal
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        $vis enum $type $(<$param>)? {
            $(
                $(#[$attribute])*
                #[serde(rename = $name)]
                $variant $(($inner))? $({ $($(#[doc = $field_doc])* $field: $field_type),* })?
            ),*
        }

        impl $(<$param: $crate::json::FromJson>)? $crate::json::FromJson for $type $(<$param>)? {
            fn from_json(
                value: $crate::json::JsonValue<'_>,
                decoder: &mut $crate::json::Decoder,
            ) -> Self {
                let variant = &mut decoder.split_variant(value);
                match &*variant.0 {
                    // A brace after the name of a variant is valid for each kind of variant.
                    $($name => Self::$variant {
                        $(0: <$inner as $crate::json::FromJson>::from_json(variant.1.take(), decoder))?
                        $($($field: decoder.decode_field(&mut variant.1, stringify!($field))),*)?
                    },)*
                    // The placeholder is the first variant.
                    _ => Self::from_json(decoder.unknown_variant([$($name),*][0]), decoder),
                }
            }
        }

        $crate::json::json_type! { $($rest)* }
    };
}
pub use json_type;

/// Declares an enum of strings as [`json_type!`](crate::json_type) does, with its values by name.
///
/// ```
/// # use entgate::json::{from_slice, string_enum};
/// # use serde::Serialize;
/// string_enum! {
///     /// A side.
///     #[derive(Clone, Copy, Debug, PartialEq, Serialize)]
///     enum Side {
///         Left = "left",
///         Right = "right",
///     }
/// }
/// assert_eq!(Side::ALL, [("left", Side::Left), ("right", Side::Right)]);
/// assert_eq!(Side::Right.as_str(), "right");
/// assert_eq!(from_slice(br#""right""#), Ok(Side::Right));
/// ```
#[macro_export]
macro_rules! string_enum {
    (
        $(#[doc = $doc:literal])*
        #[derive($($derive:ident),* $(,)?)]
        $vis:vis enum $type:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $name:literal),* $(,)?
        }
    ) => {
        $crate::json::json_type! {
            $(#[doc = $doc])*
            #[derive($($derive),*)]
            $vis enum $type {
                $($(#[$variant_attribute])* $variant = $name),*
            }
        }

        impl $type {
            /// All values, by name.
            $vis const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),*];

            /// The name.
            #[must_use]
            $vis fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }
    };
}
pub use string_enum;
