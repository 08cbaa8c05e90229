//! Deliberately broken builds: one rule of the protocol removed each, to prove that the bench
//! would notice. Compiled in only under the cargo feature `mutants`; chosen at start by
//! `--mutant NAME`. A normal build holds none of this: [`mutant!`](crate::mutant) is then the
//! constant `false`.

/// `mutant!(Name)`: is this the build, and the run, in which that rule is removed?
#[macro_export]
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutants::is_active($crate::mutants::Mutant::$name)
    };
}

/// `mutant!(Name)`: always `false` in a normal build.
#[macro_export]
#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}
