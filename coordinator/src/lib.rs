//! The coordinator: Git, SQL, agents, rollouts, and the operator's verbs.
//!
//! Owns: nothing itself; each module says what it owns. Must not be depended on by the agent. Called by the program
//! `pointsman`, by the system tests and by the developer's commands.
//!
//! | Question | Module |
//! |---|---|
//! | How is it put together and ended? | [`app`] |
//! | Which settings are there? | [`settings`] |
//! | What becomes of a commit? How does a rollout move? | [`tasks`] |
//! | Where are commits read from? | [`repo`] |
//! | What is said about a proposal? | [`review`] |
//! | How is a forge asked and told? | [`forge`] |
//! | Who are the agents, how are they reached? | [`fleet`], [`trust`] |
//! | Who are the people, what may they? | [`people`] |
//! | Who has to approve, and who has? | [`release`] |
//! | What is remembered? | [`store`] |
//! | What can an operator ask, and over which listener? | [`api`], [`doors`], [`cli`] |

pub mod api;
pub mod app;
pub mod cli;
pub mod doors;
pub mod fleet;
pub mod forge;
pub mod people;
pub mod release;
pub mod repo;
pub mod review;
pub mod settings;
pub mod store;
pub mod tasks;
pub mod trust;
