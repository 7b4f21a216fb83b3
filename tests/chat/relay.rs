//! A wire that breaks: each connection ends, without a word, after so many bytes.

use fernwire::transport::endpoint::Endpoint;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, copy, split};

use crate::common::{dial, fresh_endpoint, listen};

/// Relays connections to this endpoint from another. Each carries as many bytes in either direction as the next of
/// `lengths` says, and those after the last of them any number.
pub(crate) async fn breaking(target: &Endpoint, lengths: Vec<u64>) -> Endpoint {
    let folder = TempDir::new().unwrap();
    let mut listener = listen(&fresh_endpoint("memory", &folder), &folder).await;
    let (relayed, target) = (listener.local().clone(), target.clone());
    let mut lengths = lengths.into_iter();
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            let length = lengths.next().unwrap_or(u64::MAX);
            let target = target.clone();
            tokio::spawn(async move {
                let (near, far) = (incoming.upgrade.await.unwrap(), dial(&target).await.unwrap());
                let (near_read, mut near_write) = split(near.io);
                let (far_read, mut far_write) = split(far.io);
                let (mut up, mut down) = (near_read.take(length), far_read.take(length));
                // Whichever ends first ends the other: both streams are dropped here.
                tokio::select! {
                    _ = copy(&mut up, &mut far_write) => {}
                    _ = copy(&mut down, &mut near_write) => {}
                }
            });
        }
    });
    relayed
}
