//! `fernwire id`: who this server is, and how to connect to it.

use std::process::ExitCode;

use anyhow::bail;
use fernwire::config::{self, Folders};
use fernwire::keys::IdentityKey;
use fernwire::transport::tcp;
use serde_json::json;

use crate::cli::IdArgs;
use crate::output;
use crate::serve::banner::connect_line;

pub(crate) fn run(args: &IdArgs) -> anyhow::Result<ExitCode> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => Folders::from_env(|name| std::env::var_os(name))?.data,
    };
    let path = config::identity_key(&data);
    let identity = match IdentityKey::load(&path) {
        Ok(key) => key.public(),
        Err(error) if error.is_missing() => {
            bail!("{error}; `fernwire serve` makes it on its first run, and --data names another folder")
        }
        Err(error) => return Err(error.into()),
    };
    let endpoints: Vec<_> = args.listen.iter().map(|listen| tcp::reachable(&listen.with_identity(identity))).collect();
    if args.json {
        let urls: Vec<_> = endpoints.iter().map(ToString::to_string).collect();
        output::json(&json!({ "identity": identity.to_string(), "endpoints": urls }))?;
    } else {
        output::result(identity)?;
        for endpoint in &endpoints {
            output::result(connect_line(endpoint, &[]))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
