//! A workload's words as transactions, and answers as completions: pure.
