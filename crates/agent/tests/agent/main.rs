//! The agent between a scripted engine and a scripted cache. Time is paused: it passes only when all
//! wait for it.

mod fixture;
mod jobs;
mod purges;
