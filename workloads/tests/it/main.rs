//! Workloads against systems in memory: a perfect one, and ones that are broken on purpose.

mod clients;
mod generators;
mod system;
mod verdicts;
