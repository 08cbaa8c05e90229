//! Is this history linearizable?
