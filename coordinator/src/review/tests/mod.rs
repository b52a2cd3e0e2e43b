//! Tests of the facts and of how they are said.

mod escape;
mod facts;
mod render;

use super::*;
