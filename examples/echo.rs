//! The channel as a library: two ends that share a secret key talk over TCP. No server, no command line.
//!
//! `cargo run --example echo --no-default-features`
#![allow(clippy::print_stdout)]

use fernwire::channel::handshake::{Offer, Policy};
use fernwire::channel::{self, CloseReason, Settings};
use fernwire::keys::{IdentityKey, SecretKey};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (identity, secret_key) = (IdentityKey::generate()?, SecretKey::generate());
    let public = identity.public();
    let policy = Policy::new("x25519+psk".parse()?, Some(identity), Some(secret_key.clone()))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    let echo = async {
        let (stream, _) = listener.accept().await?;
        let mut channel = channel::accept(stream, policy, Settings::default()).await?;
        while let Some(message) = channel.recv().await?.map(<[u8]>::to_vec) {
            channel.send(&message).await?;
        }
        Ok(channel.close(CloseReason::Done, "").await?)
    };
    let talk = async {
        let offer = Offer::new("x25519+psk".parse()?, Some(secret_key))?;
        let verified = channel::connect(TcpStream::connect(address).await?, offer, Settings::default()).await?;
        assert_eq!(verified.identity(), Some(public), "another server than expected");
        let mut channel = verified.trust();
        for word in ["private", "ordered", "framed"] {
            channel.send(word.as_bytes()).await?;
            println!("{}", String::from_utf8_lossy(channel.recv().await?.unwrap_or_default()));
        }
        Ok::<_, Box<dyn std::error::Error>>(channel.close(CloseReason::Done, "").await?)
    };
    tokio::try_join!(echo, talk).map(drop)
}
