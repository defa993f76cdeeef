//! What all orders together say.
