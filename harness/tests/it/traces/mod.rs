//! The examination of event traces: by hand-made examples of every rule, of traces that are not
//! whole, and over simulated clusters.

mod rules;
mod simulated;
mod tale;
mod torn;
