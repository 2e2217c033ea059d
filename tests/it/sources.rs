//! Metric sources: over real sockets, against a scripted server, and in the simulated cluster.

mod http;
mod native;
mod preflight;
mod range;
mod reader;
mod resets;
mod script;
