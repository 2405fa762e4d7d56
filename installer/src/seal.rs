//! The order of an install as a chain of types.
