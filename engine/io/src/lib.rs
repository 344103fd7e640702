//! Packet input and output.
