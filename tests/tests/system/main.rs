//! Whole-system tests: one program, one module per theme.

#[cfg(test)]
mod approval;
#[cfg(test)]
mod approvers;
#[cfg(test)]
mod attack;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod chaos_every_step;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod console;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod cut;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod host_faults;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod main_job;
#[cfg(test)]
mod people;
#[cfg(test)]
mod people_secrets;
#[cfg(test)]
mod postgresql;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod second_opinion;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod support;
#[cfg(test)]
mod two_coordinators;
#[cfg(test)]
mod weather;
#[cfg(test)]
mod window;
#[cfg(test)]
mod witness;
