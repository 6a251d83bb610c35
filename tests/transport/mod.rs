//! The transports over a real connection, with a toy schema behind them.

mod drain;
mod frames;
mod http;
mod probes;
mod streams;
mod toy;
mod websocket;
mod wire;
