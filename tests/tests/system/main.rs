//! Whole-system tests: one program, one module per theme.

mod cli;
mod crash;
mod cut;
mod host_faults;
mod identity;
mod main_job;
mod refusals;
mod second_opinion;
mod support;
