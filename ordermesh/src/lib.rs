//! Everything in one process, and the operator's commands.
