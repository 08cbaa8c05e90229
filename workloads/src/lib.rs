//! What to ask of a system under test, and which models judge its answers.
