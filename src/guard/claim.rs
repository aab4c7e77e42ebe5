//! Who may command the arm: one operator at a time.
//!
//! The first who commands holds control until some quiet seconds have passed; others are refused
//! with the holder's name. A stop is everybody's and needs no control, and an operator never has to
//! ask the runner. Owns the holder's name; never knows a connection.
//!
//! Real time: no allocation, lock, log or clock.

use crate::messages::{Name, Request, Role};
use crate::units::MonoTime;

/// Control ends this long after the holder's last command, nanoseconds: long enough for what two
/// people do at once, short enough that nobody is locked out by one who has left.
const QUIET_NS: u64 = 3_000_000_000;

/// Control of the arm.
#[derive(Debug, Default)]
pub(super) struct Claim {
    holder: Option<(Name, MonoTime)>,
}

impl Claim {
    /// Lets `name` command at `now`, or tells who holds control.
    ///
    /// # Errors
    /// The holder's name.
    pub(super) fn command(
        &mut self,
        name: &Name,
        role: Role,
        request: Request,
        now: MonoTime,
    ) -> Result<(), Name> {
        match request {
            Request::Stop | Request::Shutdown => return Ok(()),
            Request::Reset
            | Request::Enable
            | Request::Start
            | Request::StartHeld
            | Request::Pause
            | Request::Park
            | Request::Release => {}
        }
        if let Some((holder, since)) = &self.holder
            && holder != name
            && now.since(*since) < QUIET_NS
        {
            return Err(holder.clone());
        }
        match role {
            Role::Operator => self.holder = Some((name.clone(), now)),
            // It acts on an operator's behalf and keeps nobody out.
            Role::Runner | Role::Pulse => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::name;

    const SECOND: u64 = 1_000_000_000;

    fn ask(claim: &mut Claim, who: &str, request: Request, secs: u64) -> Result<(), Name> {
        claim.command(&name(who), Role::Operator, request, MonoTime(secs * SECOND))
    }

    #[test]
    fn one_commands_and_the_other_is_told_who() {
        let mut claim = Claim::default();
        assert_eq!(ask(&mut claim, "ana", Request::Pause, 10), Ok(()));
        assert_eq!(ask(&mut claim, "ben", Request::Start, 11), Err(name("ana")));
        assert_eq!(ask(&mut claim, "ana", Request::Start, 12), Ok(()));
        assert_eq!(ask(&mut claim, "ben", Request::Pause, 14), Err(name("ana")));
        assert_eq!(ask(&mut claim, "ben", Request::Pause, 15), Ok(()));
        assert_eq!(ask(&mut claim, "ana", Request::Start, 16), Err(name("ben")));
    }

    #[test]
    fn a_stop_is_everybodys_and_takes_no_control() {
        let mut claim = Claim::default();
        assert_eq!(ask(&mut claim, "ana", Request::Pause, 10), Ok(()));
        assert_eq!(ask(&mut claim, "ben", Request::Stop, 10), Ok(()));
        assert_eq!(ask(&mut claim, "ben", Request::Shutdown, 10), Ok(()));
        assert_eq!(ask(&mut claim, "ana", Request::Reset, 10), Ok(()));
    }

    #[test]
    fn a_runner_keeps_no_operator_out() {
        let mut claim = Claim::default();
        let runner = |claim: &mut Claim, at| {
            claim.command(&name("runner"), Role::Runner, Request::Start, MonoTime(at))
        };
        assert_eq!(runner(&mut claim, 10 * SECOND), Ok(()));
        assert_eq!(ask(&mut claim, "ana", Request::Pause, 10), Ok(()));
        assert_eq!(runner(&mut claim, 11 * SECOND), Err(name("ana")));
    }
}
