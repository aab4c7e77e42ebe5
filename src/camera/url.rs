//! The address of a stream. Parsing only; nothing is looked up.

/// Where a stream is: `mjpeg://host[:port]/path`, or the same with `http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamUrl {
    host: String,
    port: u16,
    path: String,
}

/// An address that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No `scheme://`.
    #[error("{0:?} has no scheme; write mjpeg://host:port/path")]
    NoScheme(String),
    /// A scheme that is not spoken.
    #[error("scheme {0:?} is not spoken; use mjpeg:// or http:// (a proxy can serve TLS as http)")]
    Scheme(String),
    /// Something before an `@`.
    #[error(
        "a name and password do not belong into an address; write them into a file, name that as the camera's `login`, and remove the part before @"
    )]
    Login,
    /// Nothing, or nonsense, for a host.
    #[error("{0:?} has no usable host; write mjpeg://host:port/path")]
    Host(String),
    /// Not a port number.
    #[error("{0:?} is not a port number from 1 to 65535")]
    Port(String),
    /// Spaces or control characters in the path.
    #[error("the path of {0:?} holds a space, a # or a character outside ASCII; percent-encode it")]
    Path(String),
}

impl StreamUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// Says which part is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| UrlError::NoScheme(text.into()))?;
        if !scheme.eq_ignore_ascii_case("mjpeg") && !scheme.eq_ignore_ascii_case("http") {
            return Err(UrlError::Scheme(scheme.into()));
        }
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        if authority.contains('@') {
            return Err(UrlError::Login);
        }
        let (host, port) = host_and_port(authority, text)?;
        let path = match path.chars().next() {
            None => "/".to_owned(),
            Some('/') => path.to_owned(),
            Some(_) => format!("/{path}"),
        };
        if !path.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
            return Err(UrlError::Path(text.into()));
        }
        Ok(StreamUrl { host, port, path })
    }

    /// Host name or address, IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, beginning with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What belongs into the `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl std::fmt::Display for StreamUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

fn host_and_port(authority: &str, text: &str) -> Result<(String, u16), UrlError> {
    let bad_host = || UrlError::Host(text.into());
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or_else(bad_host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| bad_host())?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port),
            None if rest.is_empty() => None,
            None => return Err(bad_host()),
        };
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let host_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(host_char) {
        return Err(bad_host());
    }
    let port = match port {
        None => 80,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => number,
            _ => return Err(UrlError::Port(port.into())),
        },
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_schemes_are_read() {
        let url = StreamUrl::parse("mjpeg://127.0.0.1:8080/cameras/wrist.mjpg?fps=30").unwrap();
        assert_eq!(url.host(), "127.0.0.1");
        assert_eq!(url.port(), 8080);
        assert_eq!(url.path(), "/cameras/wrist.mjpg?fps=30");
        assert_eq!(
            StreamUrl::parse("HTTP://cam").unwrap().to_string(),
            "http://cam:80/"
        );
        let six = StreamUrl::parse("http://[::1]:81/x").unwrap();
        assert_eq!((six.host(), six.authority().as_str()), ("::1", "[::1]:81"));
        assert_eq!(StreamUrl::parse("http://cam?a=1").unwrap().path(), "/?a=1");
    }

    #[test]
    fn each_wrong_part_has_its_own_words() {
        for (text, words) in [
            ("/dev/video0", "scheme"),
            ("https://cam/x", "mjpeg://"),
            ("rtsp://cam/x", "rtsp"),
            ("http://me:pw@cam/x", "before @"),
            ("http:///x", "host"),
            ("http://[::1/x", "host"),
            ("http://[::1]x/x", "host"),
            ("http://c m/x", "host"),
            ("http://cam:0/x", "port"),
            ("http://cam:+80/x", "port"),
            ("http://cam:65536/x", "port"),
            ("http://cam:/x", "port"),
            ("http://cam/a b", "percent"),
            ("http://cam/a\r\nX: y", "percent"),
        ] {
            let error = StreamUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
