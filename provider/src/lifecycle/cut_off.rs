//! Cut off.
