//! The command `wasm-pack`, without its search for a newer version.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    env_logger::init();
    wasm_pack::command::run_wasm_pack(wasm_pack::Cli::parse().cmd)
}
