//! The scenarios: each is a file with its options, what it does, and what it reports.

pub mod bystander;
pub mod churn;
pub mod connect;
pub mod echo;
pub mod fanout;
pub mod flood;
pub mod growth;
pub mod idle;
pub mod order;
pub mod rooms;
pub mod slow;
pub mod stall;
pub mod storm;
