//! `fernwire id`: who this server is, and how to connect to it.

use std::process::ExitCode;

use anyhow::bail;
use fernwire::config::{find_identity, identity_key};
use fernwire::transport::tcp;
use serde_json::json;

use crate::cli::IdArgs;
use crate::configure::{self, Origins};
use crate::output;
use crate::serve::banner::connect_line;
use crate::serve::keys::data_folder;

pub(crate) fn run(args: IdArgs, origins: &Origins) -> anyhow::Result<ExitCode> {
    let as_json = args.json;
    let config = configure::server_to_show(args, origins)?;
    let data = data_folder(&config)?;
    let Some(key) = find_identity(&data)? else {
        let path = identity_key(&data);
        bail!(
            "there is no key file {}; `fernwire serve` makes it on its first run, and --data names another folder",
            path.display()
        )
    };
    let identity = key.public();
    // Behind a Fernet door nobody proves an identity.
    let channels = config.listeners.iter().filter(|listen| !listen.is_fernet());
    let pinned = channels.map(|listen| tcp::reachable(&listen.with_identity(identity)));
    let endpoints: Vec<_> = pinned.collect();
    if as_json {
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
