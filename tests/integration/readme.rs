//! The README and the pages under docs/: what they print is true.
