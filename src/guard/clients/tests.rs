use super::*;

fn send(channel: &Channel, message: &ToGuard) {
    let mut bytes = crate::messages::channel::buffer();
    assert!(channel.try_send(message, bytes.as_mut_slice()));
}

fn connect(path: &std::path::Path, role: Role, who: &str) -> Channel {
    let channel = Channel::connect(path).unwrap();
    let hello = ToGuard::Hello {
        protocol: PROTOCOL,
        role,
        name: crate::messages::name(who),
    };
    send(&channel, &hello);
    channel
}

fn hello(path: &std::path::Path) -> Channel {
    connect(path, Role::Runner, "runner")
}

fn last_word(channel: &Channel) -> Received<FromGuard> {
    let mut bytes = crate::messages::channel::buffer();
    let mut last = Received::Nothing;
    loop {
        match channel.try_receive(bytes.as_mut_slice()) {
            Received::Nothing => return last,
            Received::Closed => return Received::Closed,
            heard => last = heard,
        }
    }
}

fn guard() -> (Clients, Inbox, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.sock");
    let clients = Clients::new(Listener::bind(&path).unwrap());
    (clients, Inbox::default(), path, folder)
}

#[test]
fn a_stop_gets_through_however_many_sit_there_idle() {
    let (mut clients, mut inbox, path, _folder) = guard();
    let runner = hello(&path);
    clients.poll(MonoTime(1), &mut inbox);
    let mut idle = Vec::new();
    for tick in 2..30 {
        idle.push(Channel::connect(&path).unwrap());
        idle.push(connect(&path, Role::Operator, "idle"));
        clients.poll(MonoTime(tick), &mut inbox);
    }
    let newcomer = Channel::connect(&path).unwrap();
    send(&newcomer, &ToGuard::Request(Request::Stop));
    clients.poll(MonoTime(30), &mut inbox);
    assert_eq!(inbox.signals.requests.as_slice(), [Request::Stop]);
    assert!(
        matches!(clients.link(), Link::Up { .. }),
        "the runner stays"
    );
    assert_ne!(last_word(&runner), Received::Closed);
}

#[test]
fn a_busy_client_holds_up_nobodys_stop_and_not_the_runner() {
    let (mut clients, mut inbox, path, _folder) = guard();
    let busy: Vec<Channel> = (0..6)
        .map(|_| connect(&path, Role::Operator, "busy"))
        .collect();
    clients.poll(MonoTime(1), &mut inbox);
    let runner = hello(&path);
    let quiet = connect(&path, Role::Operator, "quiet");
    clients.poll(MonoTime(2), &mut inbox);
    for channel in &busy {
        for _ in 0..20 {
            send(channel, &ToGuard::Request(Request::Pause));
        }
    }
    send(&quiet, &ToGuard::Request(Request::Stop));
    let heartbeat = ToGuard::Heartbeat {
        sent_at: MonoTime(3),
        report: RunnerReport::default(),
    };
    send(&runner, &heartbeat);
    clients.poll(MonoTime(3), &mut inbox);
    assert!(inbox.signals.requests.contains(&Request::Stop));
    let heard_at = MonoTime(3);
    assert_eq!(clients.link(), Link::Up { heard_at });
}

#[test]
fn the_second_who_commands_is_told_who_holds_control() {
    let (mut clients, mut inbox, path, _folder) = guard();
    let ana = connect(&path, Role::Operator, "ana");
    let ben = connect(&path, Role::Operator, "ben");
    send(&ana, &ToGuard::Request(Request::Pause));
    clients.poll(MonoTime(1), &mut inbox);
    clients.poll(MonoTime(2), &mut inbox);
    send(&ben, &ToGuard::Request(Request::Start));
    clients.poll(MonoTime(3), &mut inbox);
    assert!(inbox.signals.requests.is_empty());
    let held = FromGuard::Held(crate::messages::name("ana"));
    assert_eq!(last_word(&ben), Received::Message(held));
    send(&ben, &ToGuard::Request(Request::Stop));
    clients.poll(MonoTime(4), &mut inbox);
    assert_eq!(inbox.signals.requests.as_slice(), [Request::Stop]);
}

#[test]
fn a_runner_that_comes_as_another_dies_does_not_hide_the_death() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.sock");
    let mut clients = Clients::new(Listener::bind(&path).unwrap());
    let mut inbox = Inbox::default();
    let first = hello(&path);
    clients.poll(MonoTime(1), &mut inbox);
    assert_eq!(
        clients.link(),
        Link::Up {
            heard_at: MonoTime(1)
        }
    );
    drop(first);
    let _second = hello(&path);
    clients.poll(MonoTime(2), &mut inbox);
    assert_eq!(clients.link(), Link::Closed);
    let _third = hello(&path);
    clients.poll(MonoTime(3), &mut inbox);
    assert_eq!(
        clients.link(),
        Link::Up {
            heard_at: MonoTime(3)
        }
    );
}

#[test]
fn the_end_of_the_pulse_is_the_death_of_the_runner() {
    let (mut clients, mut inbox, path, _folder) = guard();
    let stray = connect(&path, Role::Pulse, "stray");
    clients.poll(MonoTime(1), &mut inbox);
    let refused = FromGuard::Refused(Refusal::NoRunner);
    assert_eq!(last_word(&stray), Received::Message(refused));
    let runner = hello(&path);
    clients.poll(MonoTime(2), &mut inbox);
    let pulse = connect(&path, Role::Pulse, "runner");
    clients.poll(MonoTime(3), &mut inbox);
    let heartbeat = ToGuard::Heartbeat {
        sent_at: MonoTime(4),
        report: RunnerReport::default(),
    };
    send(&pulse, &heartbeat);
    clients.poll(MonoTime(4), &mut inbox);
    let heard_at = MonoTime(4);
    assert_eq!(clients.link(), Link::Up { heard_at });
    drop(pulse);
    clients.poll(MonoTime(5), &mut inbox);
    assert_eq!(clients.link(), Link::Closed);
    assert_eq!(
        last_word(&runner),
        Received::Closed,
        "nothing of it is heard"
    );
    let _next = hello(&path);
    clients.poll(MonoTime(6), &mut inbox);
    assert!(matches!(clients.link(), Link::Up { .. }));
}
