//! Keys out of the bytes that a terminal sends.
//!
//! Owns the bytes of a sequence that has not ended yet. Knows the plain bytes of any terminal, and
//! those that tell a key's letting go as well (the "kitty keyboard protocol", where a terminal has
//! it). What it does not know is a key, too: whoever presses a wrong one wants the arm to stand.

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// A byte came: pressed, or repeated, which a plain terminal does not tell apart.
    Typed,
    /// Pressed; its letting go will be told.
    Pressed,
    /// Still held.
    Repeated,
    /// Let go.
    Released,
}

/// Which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// One with a character.
    Char(char),
    /// Escape.
    Escape,
    /// One with no meaning here.
    Other,
}

/// What came from the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard(pub(super) Key, pub(super) Act);

/// Asks a terminal to tell of every key when it is pressed, repeated and let go (1 + 2 + 4 + 8), and
/// whether it does.
pub(super) const ASK: &str = "\x1b[>15u\x1b[?u";
/// Takes that back.
pub(super) const ASK_BACK: &str = "\x1b[<u";

/// No sequence that means something is longer.
const LONGEST: usize = 32;
/// The bit of [`ASK`] that makes a terminal tell when a key is let go.
const TELLS_RELEASE: u32 = 2;

/// The reader of the bytes.
#[derive(Debug, Default)]
pub(super) struct Keys {
    begun: Vec<u8>,
    /// The terminal has said that it tells when a key is let go. Before that, or of one that does
    /// not, a press is a byte that came: nobody would hear of its end.
    tells_release: bool,
}

impl Keys {
    /// The keys in `bytes`, which came in one piece: an escape at its very end is the key, as no
    /// terminal breaks a sequence there, and one that does makes the arm stand.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for byte in bytes {
            if let Some(key) = self.take(*byte) {
                heard.push(key);
            }
        }
        if self.begun == [0x1b] {
            self.begun.clear();
            heard.push(Heard(Key::Escape, Act::Typed));
        }
        heard
    }

    fn take(&mut self, byte: u8) -> Option<Heard> {
        match (self.begun.as_slice(), byte) {
            ([], 0x1b) => {
                self.begun.push(byte);
                None
            }
            ([], byte) => Some(Heard(plain(byte), Act::Typed)),
            ([_], b'[' | b'O') => {
                self.begun.push(byte);
                None
            }
            ([_], _) => {
                // Escape and at once another key: both count, and the first makes the arm stand.
                self.begun.clear();
                Some(Heard(Key::Escape, Act::Typed))
            }
            // Parameters of the sequence; its last byte is a letter or `~`.
            (begun, 0x20..=0x3f) if begun.len() < LONGEST => {
                self.begun.push(byte);
                None
            }
            (_, last) => {
                let begun = std::mem::take(&mut self.begun);
                let parameters = begun.get(2..).unwrap_or_default();
                let text = std::str::from_utf8(parameters).unwrap_or_default();
                if let (Some(flags), b'u') = (text.strip_prefix('?'), last) {
                    let flags = flags.parse::<u32>().unwrap_or_default();
                    self.tells_release = flags & TELLS_RELEASE != 0;
                    return None;
                }
                let Heard(key, act) = sequence(text, last);
                let trusted = self.tells_release || act != Act::Pressed;
                Some(Heard(key, if trusted { act } else { Act::Typed }))
            }
        }
    }
}

fn plain(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Char('\n'),
        3 => Key::Char('\x03'),
        b'\t' => Key::Char('\t'),
        0x20..=0x7e => Key::Char(char::from(byte)),
        _ => Key::Other,
    }
}

/// `CSI parameters last`.
fn sequence(text: &str, last: u8) -> Heard {
    if last != b'u' {
        // The key may be told of by another sequence when it is let go; that counts as well.
        return Heard(Key::Other, Act::Typed);
    }
    // `code:shifted:base ; modifiers:event`.
    let mut fields = text.split(';');
    let mut codes = fields.next().unwrap_or_default().split(':');
    let code = codes.next().and_then(|code| code.parse::<u32>().ok());
    let shifted = codes.next().and_then(|code| code.parse::<u32>().ok());
    let mut modified = fields.next().unwrap_or_default().split(':');
    let modifiers = modified.next().and_then(|it| it.parse::<u32>().ok());
    let act = match modified.next() {
        Some("2") => Act::Repeated,
        Some("3") => Act::Released,
        _ => Act::Pressed,
    };
    // Ctrl is bit 2 of one less.
    let ctrl = modifiers.is_some_and(|it| it.saturating_sub(1) & 4 != 0);
    let key = match shifted.or(code) {
        Some(27) => Key::Escape,
        Some(13) => Key::Char('\n'),
        Some(9) => Key::Char('\t'),
        Some(99) if ctrl => Key::Char('\x03'),
        Some(code) if !ctrl && (0x20..0x7f).contains(&code) => {
            char::from_u32(code).map_or(Key::Other, Key::Char)
        }
        _ => Key::Other,
    };
    Heard(key, act)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(bytes: &str) -> Vec<Heard> {
        Keys::default().hear(bytes.as_bytes())
    }

    #[test]
    fn plain_bytes_are_keys() {
        let typed = |c| Heard(Key::Char(c), Act::Typed);
        assert_eq!(hear("qq "), [typed('q'), typed('q'), typed(' ')]);
        assert_eq!(hear("\r\t\x03"), [typed('\n'), typed('\t'), typed('\x03')]);
        assert_eq!(hear("\u{7f}"), [Heard(Key::Other, Act::Typed)]);
    }

    #[test]
    fn an_escape_alone_is_the_key_and_an_arrow_is_another() {
        assert_eq!(hear("\x1b"), [Heard(Key::Escape, Act::Typed)]);
        for other in ["\x1b[A", "\x1bOP", "\x1b[15~", "\x1b[1;5C"] {
            assert_eq!(hear(other), [Heard(Key::Other, Act::Typed)], "{other:?}");
        }
        assert_eq!(
            hear("\x1b[Aq"),
            [
                Heard(Key::Other, Act::Typed),
                Heard(Key::Char('q'), Act::Typed)
            ]
        );
    }

    #[test]
    fn a_sequence_in_two_pieces_is_one_key() {
        let mut keys = Keys::default();
        assert_eq!(keys.hear(b"\x1b[113;1"), []);
        assert_eq!(keys.hear(b":3u"), [Heard(Key::Char('q'), Act::Released)]);
    }

    #[test]
    fn a_terminal_that_can_tells_press_repeat_and_release() {
        let key = |act| Heard(Key::Char('q'), act);
        let mut keys = Keys::default();
        let held = b"\x1b[113u\x1b[113;1:2u\x1b[113;1:3u";
        assert_eq!(keys.hear(b"\x1b[?15u"), []);
        assert_eq!(
            keys.hear(held),
            [key(Act::Pressed), key(Act::Repeated), key(Act::Released)]
        );
        let pressed = |keys: &mut Keys, bytes: &[u8], key| {
            assert_eq!(keys.hear(bytes), [Heard(key, Act::Pressed)]);
        };
        pressed(&mut keys, b"\x1b[99;5u", Key::Char('\x03'));
        pressed(&mut keys, b"\x1b[27u", Key::Escape);
        pressed(&mut keys, b"\x1b[61:43;2u", Key::Char('+'));
    }

    #[test]
    fn a_press_whose_end_will_not_be_told_is_a_byte_that_came() {
        let mut keys = Keys::default();
        keys.hear(b"\x1b[?9u");
        let heard = keys.hear(b"\x1b[113u");
        assert_eq!(heard, [Heard(Key::Char('q'), Act::Typed)]);
    }

    #[test]
    fn garbage_of_any_length_is_keys_without_meaning() {
        let long = format!("\x1b[{}", "1".repeat(200));
        let heard = hear(&long);
        assert!(heard.contains(&Heard(Key::Other, Act::Typed)));
    }
}
