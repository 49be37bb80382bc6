//! What JavaScript sees of the core: the only place that names Node-API.

mod content;
mod server;
