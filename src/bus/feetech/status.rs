//! What a servo says: `FF FF ID LEN ERR params… CHK`.

use super::packet::{MAX_ID, Packet};
use crate::bus::scan::Status;

/// The highest error byte that is not noise on the line (the vendor's SDK draws it here).
pub const MAX_ERRORS: u8 = 0x7F;

/// Reads a frame as a reply, its error bits `01` voltage, `02` angle, `04` overheat, `08`
/// over-current, `20` overload; `None` when it is damaged or no servo can have sent it.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Status<'_>> {
    let packet = Packet::new_checked(bytes).ok()?;
    (packet.id() <= MAX_ID && packet.code() <= MAX_ERRORS).then(|| Status {
        id: packet.id(),
        errors: packet.code(),
        params: packet.params(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_carries_its_error_bits_and_data() {
        // Servo 1, overload, two bytes 0x18 0x05.
        let bytes = [0xFF, 0xFF, 0x01, 0x04, 0x20, 0x18, 0x05, 0xBD];
        let status = parse(&bytes).unwrap();
        assert_eq!(status.id, 1);
        assert_eq!(status.errors, 0x20);
        assert_eq!(status.params, [0x18, 0x05]);
    }

    #[test]
    fn broadcast_ids_and_high_error_bytes_are_noise() {
        let broadcast = [0xFF, 0xFF, 0xFE, 0x02, 0x00, 0xFF];
        assert!(Packet::new_checked(&broadcast).is_ok());
        assert_eq!(parse(&broadcast), None);
        let errors = [0xFF, 0xFF, 0x01, 0x02, 0x80, 0x7C];
        assert!(Packet::new_checked(&errors).is_ok());
        assert_eq!(parse(&errors), None);
    }
}
