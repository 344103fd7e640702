//! Tests of the node against a fake engine.
