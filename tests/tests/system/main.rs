//! Whole-system tests: one program, one module per theme.

mod second_opinion;
