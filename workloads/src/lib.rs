//! What to ask of a system under test, and which models judge its answers.

/// One operation to ask for.
#[derive(Clone, PartialEq, Debug)]
pub struct Invocation {
    /// The function: `read`, `write`, `cas`, `append`, `add`.
    pub f: &'static str,
    /// The object it is about, when there are several.
    pub key: Option<i64>,
    /// The argument.
    pub value: checker::Value,
}
