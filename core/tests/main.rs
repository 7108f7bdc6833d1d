//! Tests of the deciding crate as others use it.

#[cfg(test)]
#[path = "main/fuzz.rs"]
mod fuzz;
