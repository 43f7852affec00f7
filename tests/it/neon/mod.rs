//! Branches at Neon, against a server of its API that a story has for itself.

mod double;
mod official;
