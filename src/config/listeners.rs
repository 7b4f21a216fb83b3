//! Where a server listens, and whether that can be meant.

use super::problem::{ConfigError, Given, Place, Problem};
use super::secrecy::names_a_key;
use super::server::ServerConfig;
use crate::transport::endpoint::bare::{FernetAddress, FernetService};
use crate::transport::endpoint::{Address, Endpoint};

/// The most places that a server listens in; each is compared with every other.
pub const MAX_LISTENERS: usize = 64;

/// The places that are given, which fit together; and where that is said.
pub(super) fn listeners(given: Option<Given<Vec<Given<Endpoint>>>>) -> Result<(Vec<Endpoint>, Place), ConfigError> {
    let Some(Given { value: listeners, place }) = given else {
        return Ok((vec![Endpoint::default_local()], Place::Default));
    };
    if listeners.len() > MAX_LISTENERS {
        return Err(Problem::TooManyListeners { given: listeners.len(), most: MAX_LISTENERS }.at(&place));
    }
    let mut accepted: Vec<Endpoint> = Vec::new();
    for Given { value: endpoint, place } in listeners {
        let before = accepted.iter().find(|before| want_the_same_place(before, &endpoint));
        let problem = if let Some(problem) = incomplete_door(&endpoint) {
            problem
        } else if endpoint.identity.is_some() {
            Problem::PinnedListener(endpoint.to_string())
        } else if matches!(endpoint.address, Address::Memory(_)) {
            Problem::MemoryListener(endpoint.to_string())
        } else if let Some(before) = before {
            Problem::Twice { before: before.to_string(), again: endpoint.to_string() }
        } else {
            accepted.push(endpoint);
            continue;
        };
        return Err(problem.at(&place));
    }
    if accepted.is_empty() { Err(Problem::NoListener.at(&place)) } else { Ok((accepted, place)) }
}

/// What a Fernet door lacks.
fn incomplete_door(endpoint: &Endpoint) -> Option<Problem> {
    let Address::Fernet(door) = &endpoint.address else { return None };
    let place = || endpoint.without_identity().to_string();
    match (&door.service, &door.key) {
        (_, Some(path)) if names_a_key(path) => Some(Problem::KeyItself),
        (None, _) => Some(Problem::DoorWithoutService(place())),
        (Some(_), None) => Some(Problem::DoorWithoutKey(place())),
        (Some(_), Some(_)) => None,
    }
}

/// A port belongs to one listener, whatever it speaks; where the system chooses the port, each has its own.
fn want_the_same_place(one: &Endpoint, other: &Endpoint) -> bool {
    match one.address.host_and_port() {
        Some((_, 0)) => false,
        Some(place) => other.address.host_and_port() == Some(place),
        None => one.address == other.address,
    }
}

/// A Fernet door leads to a service that there is.
pub(super) fn refuse_door_to_nothing(config: &ServerConfig) -> Result<(), Problem> {
    for endpoint in &config.listeners {
        let Address::Fernet(FernetAddress { service: Some(service), .. }) = &endpoint.address else { continue };
        let is_offered = match service {
            FernetService::Query => config.query.is_some(),
            FernetService::Log => config.log_service.is_some(),
            FernetService::Submit => config.submit.is_some(),
        };
        if !is_offered {
            return Err(Problem::DoorToNothing(endpoint.without_identity().to_string(), *service));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file;
    use super::*;

    #[test]
    fn so_many_listeners_and_no_more() {
        let listen_on = |count: usize| {
            let urls = (1..=count).map(|port| format!("\"tcp://127.0.0.1:{port}\"")).collect::<Vec<_>>().join(",");
            let settings = file::parse(Path::new("f"), &format!("listen = [{urls}]")).unwrap();
            ServerConfig::new(settings).map(|config| config.listeners.len()).map_err(|error| error.to_string())
        };
        assert_eq!(listen_on(MAX_LISTENERS), Ok(MAX_LISTENERS));
        let refused = listen_on(50_000).unwrap_err();
        assert_eq!(refused, "f:1: 50000 listeners are more than the 64 that a server takes; leave some out");
    }
}
