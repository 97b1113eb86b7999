//! (being written)
pub mod render;
