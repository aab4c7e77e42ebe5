//! `multipart/x-mixed-replace` as bytes in, parts out. Pure code: no socket, no clock.
//!
//! Bounded: headers and bodies past their largest size are an error, never more memory. Servers
//! differ in quoting the boundary, in counting its dashes into it and in giving lengths; all of
//! these are read.

/// The longest boundary (RFC 2046 allows 70; servers that count dashes in get some room).
const MAX_BOUNDARY: usize = 128;
/// The most bytes the headers of one part may have.
const MAX_HEADERS: usize = 8 * 1024;
/// The most bytes one part may have unless told otherwise.
const MAX_PART: usize = 16 * 1024 * 1024;

/// A stream that can't be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// The response is something else.
    #[error(
        "the address serves {0:?}, not multipart/x-mixed-replace; give the address of a stream"
    )]
    ContentType(String),
    /// No boundary, or one that is empty or too long.
    #[error("the stream's Content-Type names no usable boundary: {0:?}")]
    Boundary(String),
    /// Headers that don't end.
    #[error("the headers of a part are longer than {MAX_HEADERS} bytes")]
    HeadersTooLong,
    /// A picture beyond the largest size.
    #[error("a part is longer than {limit} bytes")]
    PartTooLong {
        /// Largest size.
        limit: usize,
    },
    /// A length that is not a number.
    #[error("a part's Content-Length is not a number")]
    Length,
    /// The server said that there is nothing more.
    #[error("the server ended the stream")]
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a boundary; what comes first is thrown away.
    Between,
    /// After a boundary, up to the blank line.
    Headers,
    /// A body of known length.
    Sized(usize),
    /// A body up to the next boundary.
    Open,
}

/// The parser.
#[derive(Debug)]
pub struct Multipart {
    /// `--` and the boundary without its own leading dashes.
    delimiter: Vec<u8>,
    /// Dashes that the boundary began with: they may stand before the delimiter.
    dashes: usize,
    max_part: usize,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already searched without success.
    searched: usize,
    state: State,
}

impl Multipart {
    /// A parser for a response with this `Content-Type`.
    ///
    /// # Errors
    /// When that is not a mixed-replace stream or names no boundary.
    pub fn new(content_type: &str) -> Result<Self, MultipartError> {
        let mut parameters = content_type.split(';');
        let kind = parameters.next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("multipart/x-mixed-replace") {
            return Err(MultipartError::ContentType(shorten(content_type)));
        }
        let boundary = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case("boundary"))
            .map(|(_, value)| value.trim().trim_matches('"').trim_end())
            .unwrap_or_default();
        let core = boundary.trim_start_matches('-');
        if core.is_empty() || boundary.len() > MAX_BOUNDARY {
            return Err(MultipartError::Boundary(shorten(content_type)));
        }
        Ok(Multipart {
            delimiter: [b"--", core.as_bytes()].concat(),
            dashes: boundary.len() - core.len(),
            max_part: MAX_PART,
            buffer: Vec::new(),
            searched: 0,
            state: State::Between,
        })
    }

    /// Sets the largest part, bytes.
    #[must_use]
    pub fn with_max_part(mut self, bytes: usize) -> Self {
        self.max_part = bytes;
        self
    }

    /// Takes bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole part's body; `None` until more bytes come.
    ///
    /// # Errors
    /// When the stream breaks its bounds or ends; the parser is of no use afterwards.
    pub fn next_part(&mut self) -> Result<Option<Vec<u8>>, MultipartError> {
        loop {
            match self.state {
                State::Between => {
                    let Some(at) = self.find_delimiter() else {
                        // Only the tail can be the beginning of a delimiter.
                        let keep = self.delimiter.len().saturating_sub(1);
                        self.consume(self.buffer.len().saturating_sub(keep));
                        return Ok(None);
                    };
                    self.consume(at + self.delimiter.len());
                    self.state = State::Headers;
                }
                State::Headers => {
                    if self.buffer.starts_with(b"--") {
                        return Err(MultipartError::Ended);
                    }
                    let Some(end) = end_of_headers(&self.buffer, self.searched) else {
                        if self.buffer.len() > MAX_HEADERS {
                            return Err(MultipartError::HeadersTooLong);
                        }
                        self.searched = self.buffer.len().saturating_sub(3);
                        return Ok(None);
                    };
                    if end > MAX_HEADERS {
                        return Err(MultipartError::HeadersTooLong);
                    }
                    let length = content_length(self.buffer.get(..end).unwrap_or_default())?;
                    self.consume(end);
                    self.state = match length {
                        Some(length) if length > self.max_part => return Err(self.too_long()),
                        Some(length) => State::Sized(length),
                        None => State::Open,
                    };
                }
                State::Sized(length) => {
                    if self.buffer.len() < length {
                        return Ok(None);
                    }
                    let body = self.buffer.drain(..length).collect();
                    self.searched = 0;
                    self.state = State::Between;
                    return Ok(Some(body));
                }
                State::Open => {
                    let Some(at) = self.find_delimiter() else {
                        if self.buffer.len() > self.max_part + MAX_BOUNDARY + 4 {
                            return Err(self.too_long());
                        }
                        return Ok(None);
                    };
                    let mut body: Vec<u8> = self.buffer.drain(..at).collect();
                    self.consume(self.delimiter.len());
                    self.state = State::Headers;
                    self.trim_tail(&mut body);
                    if body.len() > self.max_part {
                        return Err(self.too_long());
                    }
                    return Ok(Some(body));
                }
            }
        }
    }

    /// Takes away what stands between a body and the delimiter: the boundary's own dashes and
    /// one line end.
    fn trim_tail(&self, body: &mut Vec<u8>) {
        for _ in 0..self.dashes {
            if body.last() == Some(&b'-') {
                body.pop();
            }
        }
        if body.last() == Some(&b'\n') {
            body.pop();
            if body.last() == Some(&b'\r') {
                body.pop();
            }
        }
    }

    fn too_long(&self) -> MultipartError {
        MultipartError::PartTooLong {
            limit: self.max_part,
        }
    }

    fn consume(&mut self, count: usize) {
        self.buffer.drain(..count.min(self.buffer.len()));
        self.searched = 0;
    }

    fn find_delimiter(&mut self) -> Option<usize> {
        let found = find(&self.buffer, &self.delimiter, self.searched);
        if found.is_none() {
            let keep = self.delimiter.len().saturating_sub(1);
            self.searched = self.buffer.len().saturating_sub(keep);
        }
        found
    }
}

/// Where `needle` begins in `hay` at or after `from`.
fn find(hay: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let first = *needle.first()?;
    let mut at = from;
    loop {
        let rest = hay.get(at..)?;
        let step = rest.iter().position(|&byte| byte == first)?;
        at += step;
        if hay.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
}

/// How many bytes the headers have, their blank line included.
fn end_of_headers(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == b'\n')?;
        let rest = bytes.get(at + 1..)?;
        if rest.starts_with(b"\r\n") {
            return Some(at + 3);
        }
        if rest.starts_with(b"\n") {
            return Some(at + 2);
        }
        at += 1;
    }
}

fn content_length(headers: &[u8]) -> Result<Option<usize>, MultipartError> {
    for line in headers.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let (key, value) = line.split_at(colon);
        if key.trim_ascii().eq_ignore_ascii_case(b"content-length") {
            let digits = value.get(1..).unwrap_or_default().trim_ascii();
            return std::str::from_utf8(digits)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok())
                .map(Some)
                .ok_or(MultipartError::Length);
        }
    }
    Ok(None)
}

/// What a stranger sent, fit for one line of an error.
fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(parser: &mut Multipart) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| parser.next_part().unwrap()).collect()
    }

    fn stream(delimiter: &str, sized: bool, bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"junk before\r\n".to_vec();
        for body in bodies {
            bytes.extend(format!("{delimiter}\r\nContent-Type: image/jpeg\r\n").bytes());
            if sized {
                bytes.extend(format!("content-LENGTH: {}\r\n", body.len()).bytes());
            }
            bytes.extend(b"\r\n");
            bytes.extend(body);
            bytes.extend(b"\r\n");
        }
        bytes.extend(delimiter.bytes());
        bytes
    }

    #[test]
    fn the_boundary_is_found_in_every_dress() {
        for content_type in [
            "multipart/x-mixed-replace;boundary=frame",
            "multipart/x-mixed-replace; boundary=\"frame\"",
            "Multipart/X-Mixed-Replace; charset=x; Boundary = frame ",
            "multipart/x-mixed-replace; boundary=--frame",
        ] {
            let mut parser = Multipart::new(content_type).unwrap();
            parser.push(&stream("--frame", false, &[b"one".to_vec()]));
            assert_eq!(parts(&mut parser), [b"one"], "{content_type}");
        }
        let mut parser = Multipart::new("multipart/x-mixed-replace; boundary=--frame").unwrap();
        parser.push(&stream("----frame", false, &[b"one".to_vec()]));
        assert_eq!(parts(&mut parser), [b"one"]);
    }

    #[test]
    fn another_content_type_is_refused_by_name() {
        let error = Multipart::new("text/html\r\n").unwrap_err();
        assert!(error.to_string().contains("text/html"), "{error}");
        for bad in ["", ";boundary=", ";boundary=--", ";boundary=\"\""] {
            let error = Multipart::new(&format!("multipart/x-mixed-replace{bad}")).unwrap_err();
            assert!(matches!(error, MultipartError::Boundary(_)), "{bad}");
        }
    }

    #[test]
    fn a_known_length_may_hold_the_boundary_itself() {
        let body = b"a\r\n--frame\r\nb".to_vec();
        let mut parser = Multipart::new("multipart/x-mixed-replace; boundary=frame").unwrap();
        parser.push(&stream("--frame", true, std::slice::from_ref(&body)));
        assert_eq!(parts(&mut parser), [body]);
    }

    #[test]
    fn bare_line_feeds_are_read() {
        let mut parser = Multipart::new("multipart/x-mixed-replace; boundary=f").unwrap();
        parser.push(b"--f\nA: b\n\nbody\n--f\n\nnext\n--f");
        assert_eq!(parts(&mut parser), [b"body", b"next"]);
    }

    #[test]
    fn a_final_boundary_ends_the_stream() {
        let mut parser = Multipart::new("multipart/x-mixed-replace; boundary=f").unwrap();
        parser.push(b"--f\r\n\r\nbody\r\n--f--\r\n");
        assert_eq!(parser.next_part().unwrap().unwrap(), b"body");
        assert_eq!(parser.next_part(), Err(MultipartError::Ended));
    }

    #[test]
    fn nothing_grows_without_bound() {
        let fresh = || {
            Multipart::new("multipart/x-mixed-replace; boundary=f")
                .unwrap()
                .with_max_part(100)
        };
        let mut parser = fresh();
        for _ in 0..100 {
            parser.push(&[b'x'; 1000]);
            assert_eq!(parser.next_part(), Ok(None));
        }
        assert!(parser.buffer.len() < 10);

        let mut parser = fresh();
        parser.push(b"--f\r\n");
        parser.push(&[b'x'; MAX_HEADERS + 1]);
        assert_eq!(parser.next_part(), Err(MultipartError::HeadersTooLong));

        let mut parser = fresh();
        parser.push(b"--f\r\nContent-Length: 101\r\n\r\n");
        assert_eq!(
            parser.next_part(),
            Err(MultipartError::PartTooLong { limit: 100 })
        );

        let mut parser = fresh();
        parser.push(b"--f\r\n\r\n");
        parser.push(&[b'x'; 300]);
        assert_eq!(
            parser.next_part(),
            Err(MultipartError::PartTooLong { limit: 100 })
        );

        let mut parser = fresh();
        parser.push(b"--f\r\nContent-Length: -1\r\n\r\n");
        assert_eq!(parser.next_part(), Err(MultipartError::Length));
    }

    proptest! {
        #[test]
        fn arrival_in_any_pieces_gives_the_same_parts(
            bodies in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..200), 1..5),
            cuts in proptest::collection::vec(1usize..40, 1..60),
            sized in any::<bool>(),
        ) {
            // Without a length a body must not hold the boundary, nor end like a line.
            let bodies: Vec<Vec<u8>> = bodies
                .into_iter()
                .map(|body| if sized { body } else {
                    body.into_iter().map(|b| if b == b'-' { b'x' } else { b }).collect()
                })
                .collect();
            let bytes = stream("--boundary-1", sized, &bodies);
            let mut parser =
                Multipart::new("multipart/x-mixed-replace; boundary=boundary-1").unwrap();
            let mut out = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                parser.push(now);
                out.extend(parts(&mut parser));
                rest = later;
            }
            prop_assert_eq!(out, bodies);
        }

        #[test]
        fn garbage_never_panics_and_stays_bounded(
            chunks in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![Just(b'-'), Just(b'f'), Just(b'\r'), Just(b'\n'), any::<u8>()],
                    0..300), 0..20),
        ) {
            let mut parser = Multipart::new("multipart/x-mixed-replace; boundary=f")
                .unwrap().with_max_part(500);
            'all: for chunk in chunks {
                parser.push(&chunk);
                loop {
                    match parser.next_part() {
                        Ok(Some(part)) => prop_assert!(part.len() <= 500),
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
                prop_assert!(parser.buffer.len() <= MAX_HEADERS + 1000);
            }
        }
    }
}
