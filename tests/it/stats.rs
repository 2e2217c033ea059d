//! The judge's arithmetic: golden vectors, laws that any valid evidence obeys, restarts.
mod evidence;
mod golden;
mod laws;
mod outages;
mod plain;
mod reference;
mod release;
mod replay;
mod thin;
mod warm_up;
mod without_baseline;
