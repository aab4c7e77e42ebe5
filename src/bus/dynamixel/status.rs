//! What a servo says: `FF FF FD 00 ID LEN_L LEN_H 55 ERR params… CRC_L CRC_H`.

use super::packet::{MAX_ID, Packet};
use crate::bus::scan::Status;

/// The code of a status frame.
pub const STATUS: u8 = 0x55;
/// The bit of the error byte that says: read the hardware error register.
pub const ALERT: u8 = 0x80;

/// What a servo found wrong with an instruction; the low seven bits of its error byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 1: it could not be carried out.
    Failed,
    /// 2: there is no such instruction.
    Instruction,
    /// 3: its CRC was wrong.
    Crc,
    /// 4: the value is out of range, or the register may not be written just now.
    Range,
    /// 5: it has too few bytes.
    Length,
    /// 6: the value is beyond a limit register.
    Limit,
    /// 7: the register can't be written, or not with torque on.
    Access,
    /// None that is known.
    Unknown,
}

impl Fault {
    /// Of an error byte, the alert aside.
    #[must_use]
    pub fn of(errors: u8) -> Option<Fault> {
        match errors & !ALERT {
            0 => None,
            1 => Some(Fault::Failed),
            2 => Some(Fault::Instruction),
            3 => Some(Fault::Crc),
            4 => Some(Fault::Range),
            5 => Some(Fault::Length),
            6 => Some(Fault::Limit),
            7 => Some(Fault::Access),
            _ => Some(Fault::Unknown),
        }
    }
}

/// Reads a frame as a reply, its parameters put into `buffer`; `None` when it is damaged or no
/// servo can have sent it.
#[must_use]
pub fn parse<'b>(bytes: &[u8], buffer: &'b mut [u8]) -> Option<Status<'b>> {
    let packet = Packet::new_checked(bytes).ok()?;
    if packet.id() > MAX_ID || packet.code() != STATUS {
        return None;
    }
    let (errors, params) = packet.params(buffer)?.split_first()?;
    Some(Status {
        id: packet.id(),
        errors: *errors,
        params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_carries_its_error_and_data() {
        // The answer to a read of the present position (132, 4 bytes) of servo 1, 166 counts, as
        // the protocol's description gives it.
        let bytes = [
            0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x08, 0x00, 0x55, 0x00, 0xA6, 0x00, 0x00, 0x00, 0x8C,
            0xC0,
        ];
        let mut buffer = [0; 16];
        let status = parse(&bytes, &mut buffer).unwrap();
        assert_eq!((status.id, status.errors), (1, 0));
        assert_eq!(status.params, [0xA6, 0, 0, 0]);
    }

    #[test]
    fn an_error_byte_is_a_fault_and_an_alert() {
        assert_eq!(Fault::of(0x80), None);
        assert_eq!(Fault::of(0x84), Some(Fault::Range));
        assert_eq!(Fault::of(0x07), Some(Fault::Access));
        assert_eq!(Fault::of(0x7F), Some(Fault::Unknown));
    }

    #[test]
    fn an_instruction_is_no_reply() {
        let ping = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];
        assert_eq!(parse(&ping, &mut [0; 16]), None);
    }
}
