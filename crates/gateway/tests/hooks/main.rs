//! The hooks of an embedding program, on virtual time: what they see, what they may do, and that
//! nobody else waits for them.

mod doors;
mod events;
mod facts;
mod world;
