//! Against real sshd processes on 127.0.0.1, with records, caches and files below a temporary folder.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod checks;
mod clean_scripts;
mod cleanup;
mod connecting;
mod cut_off;
mod directories;
mod downloads;
mod facts;
mod forwarding;
mod gone_meanwhile;
mod host;
mod logging_in;
mod lost_records;
mod mounts;
mod older_records;
mod other_host;
mod other_life;
mod other_owners;
mod packages;
mod programs;
mod pushing;
mod remove_program;
mod removing;
mod taken_over;
mod units;
