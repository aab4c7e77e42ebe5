//! A policy server: a model that runs on another machine, spoken to over openpi's websocket
//! protocol.
//!
//! Owns where it is and how an observation is laid out for it. What the server runs is not known
//! here: its own description says nothing of joints, rates or horizons, so a cell declares them.

use crate::camera::{StreamUrl, UrlError};

/// The longest key that a file may hold, bytes.
const MAX_KEY: usize = 4096;

/// Where a value is in a message: a key, or the keys of maps inside each other.
pub type Key = Vec<String>;

/// Where a server listens: `ws://host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(StreamUrl);

/// An address that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error(
        "{0:?} does not begin with ws://; TLS is not spoken here, let a tunnel (ssh -L, WireGuard) or a proxy beside the controller do it"
    )]
    Scheme(String),
    /// Something before an `@`.
    #[error(
        "a name and password do not belong into {0:?}; a server's key goes into `api_key_file`"
    )]
    Login(String),
    /// A part of it.
    #[error(transparent)]
    Part(#[from] UrlError),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Says which part is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let rest = text
            .strip_prefix("ws://")
            .ok_or_else(|| AddressError::Scheme(text.to_owned()))?;
        if rest
            .split(['/', '?'])
            .next()
            .is_some_and(|it| it.contains('@'))
        {
            return Err(AddressError::Login(text.to_owned()));
        }
        Ok(Address(StreamUrl::parse(&format!("http://{rest}"))?))
    }

    /// Host name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// What belongs into a `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        self.0.authority()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.0.path();
        write!(f, "ws://{}{}", self.authority(), path.trim_end_matches('/'))
    }
}

/// What a server asks for before it speaks. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key that a file holds: one line of printable ASCII.
    ///
    /// # Errors
    /// Says what the file must hold.
    pub fn parse(text: &str) -> Result<ApiKey, String> {
        let key = text.trim();
        let printable = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > MAX_KEY || !printable {
            return Err("it must hold the key alone, one line of printable ASCII".into());
        }
        Ok(ApiKey(key.to_owned()))
    }

    /// The key itself, to be sent.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// A server and the layout of its messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where it is.
    pub address: Address,
    /// What it asks for.
    pub api_key: Option<ApiKey>,
    /// Where each input of the package goes in an observation, in the package's order.
    pub inputs: Vec<Key>,
    /// What the arm is to do, in words, and where that goes.
    pub prompt: Option<(Key, String)>,
    /// Where the chunk of actions is in an answer.
    pub actions: Key,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_websocket_without_tls() {
        let address = Address::parse("ws://gpu.lab:8000").unwrap();
        assert_eq!((address.host(), address.port()), ("gpu.lab", 8000));
        assert_eq!(address.to_string(), "ws://gpu.lab:8000");
        for (text, words) in [
            ("wss://gpu.lab", "TLS is not spoken here"),
            ("gpu.lab:8000", "does not begin with ws://"),
            ("ws://gpu.lab:99999", "port number"),
            ("ws://me@gpu.lab:1", "api_key_file"),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_key_is_one_line_and_is_never_shown() {
        let key = ApiKey::parse("s3cret\n").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
        assert_eq!(key.secret(), "s3cret");
        for text in ["", "\n", "two words", "a\nb", "ключ"] {
            assert!(ApiKey::parse(text).is_err(), "{text:?}");
        }
    }
}
