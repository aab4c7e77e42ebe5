//! Serial adapters: what they are called, who may open them, who has, and how late they hand on
//! what they read.
//!
//! Reads sysfs and never opens a port: opening one resets some boards.

use std::path::{Path, PathBuf};

use super::{Host, Item, Mend};

/// What an FTDI adapter holds back may cost at most this long, milliseconds.
const LATENCY_MS: u32 = 1;
/// Programs that take a serial adapter to be a modem or a braille display, and write to it.
const MEDDLERS: &[&str] = &["ModemManager", "brltty"];

/// A serial adapter as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapter {
    /// `ttyACM0`, which changes with the order of plugging in.
    pub tty: String,
    /// Its name by vendor and serial number, which stays.
    pub stable: Option<PathBuf>,
    /// The kernel's driver.
    pub driver: String,
    /// USB vendor and product, hexadecimal, and the serial number where it has one.
    pub usb: Option<Usb>,
    /// How long it holds back what it has read, milliseconds; only FTDI adapters say.
    pub latency_ms: Option<u32>,
    /// `auto` when the kernel may put it to sleep.
    pub power: Option<String>,
}

/// A USB device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usb {
    /// Four hexadecimal digits.
    pub vendor: String,
    /// Four hexadecimal digits.
    pub product: String,
    /// Its serial number.
    pub serial: Option<String>,
}

/// All serial adapters on USB, by name.
#[must_use]
pub fn adapters(host: &Host) -> Vec<Adapter> {
    let ttys = host.names("/sys/class/tty").into_iter();
    let usb = |name: &String| name.starts_with("ttyUSB") || name.starts_with("ttyACM");
    ttys.filter(usb).map(|tty| adapter(host, tty)).collect()
}

fn adapter(host: &Host, tty: String) -> Adapter {
    let class = format!("/sys/class/tty/{tty}/device");
    let device = std::fs::canonicalize(host.path(&class)).unwrap_or_default();
    let driver = std::fs::canonicalize(device.join("driver")).unwrap_or_default();
    let driver = driver.file_name().unwrap_or_default().to_string_lossy();
    let text = |folder: &Path, file: &str| {
        let text = std::fs::read_to_string(folder.join(file)).ok()?;
        Some(text.trim().to_owned())
    };
    let usb_device = device
        .ancestors()
        .find(|folder| folder.join("idVendor").is_file());
    let usb = usb_device.and_then(|folder| {
        Some(Usb {
            vendor: text(folder, "idVendor")?,
            product: text(folder, "idProduct")?,
            serial: text(folder, "serial").filter(|serial| !serial.is_empty()),
        })
    });
    Adapter {
        stable: stable_name(host, &tty),
        driver: driver.into_owned(),
        usb,
        latency_ms: text(&device, "latency_timer").and_then(|ms| ms.parse().ok()),
        power: usb_device.and_then(|folder| text(folder, "power/control")),
        tty,
    }
}

/// The name of `tty` that does not change: by vendor and serial number, else by socket.
fn stable_name(host: &Host, tty: &str) -> Option<PathBuf> {
    let folders = ["/dev/serial/by-id", "/dev/serial/by-path"];
    folders.iter().find_map(|folder| {
        let names = host.names(folder).into_iter();
        let mut links = names.map(|name| Path::new(folder).join(name));
        links.find(|link| leads_to(host, link).is_some_and(|target| target == tty))
    })
}

/// The last name that `link` leads to.
fn leads_to(host: &Host, link: &Path) -> Option<String> {
    let target = std::fs::canonicalize(host.path(&link.to_string_lossy())).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// The processes that have device `tty` open, by number and name.
#[must_use]
pub fn users_of(host: &Host, device: &Path) -> Vec<(u32, String)> {
    let mut users = host.processes();
    users.retain(|(pid, _)| {
        let folder = format!("/proc/{pid}/fd");
        let mut open = host.names(&folder).into_iter();
        open.any(|fd| {
            let link = host.path(&format!("{folder}/{fd}"));
            std::fs::read_link(link).is_ok_and(|open| open == device)
        })
    });
    users
}

/// What is to be said of the port at `path`; the name of a rule for it begins with `name`.
#[must_use]
pub fn items(host: &Host, path: &Path, name: &str) -> Vec<Item> {
    let item = format!("port {}", path.display());
    let found = host.path(&path.to_string_lossy());
    let Ok(device) = std::fs::canonicalize(&found) else {
        return vec![Item::error(item, "is not there", missing(host))];
    };
    let device = host.own_name(&device);
    let mut items = Vec::new();
    items.extend(access(host, &item, &found, &device));
    let tty = device.file_name().unwrap_or_default().to_string_lossy();
    if !tty.starts_with("ttyUSB") && !tty.starts_with("ttyACM") {
        if items.is_empty() {
            items.push(Item::good(item, format!("is {}", device.display())));
        }
        return items;
    }
    let adapter = adapter(host, tty.into_owned());
    let mend = || rule(&adapter, name).and_then(|rule| rule.unless_there(host));
    let named = |item: Item| item.mended_by(mend());
    if let Some(other) = &adapter.stable
        && path == device
    {
        items.push(named(Item::warning(
            &item,
            "may be another adapter after the next start",
            format!("name it {} in the cell file", other.display()),
        )));
    }
    if let Some(ms) = adapter.latency_ms.filter(|ms| *ms > LATENCY_MS) {
        items.push(named(Item::error(
            &item,
            format!("the adapter holds replies back for {ms} ms"),
            format!(
                "`surehand doctor --fix` sets it, now and for good; by hand: `echo {LATENCY_MS} | sudo tee {}`",
                latency_timer(&adapter.tty)
            ),
        )));
    }
    if adapter.power.as_deref() == Some("auto") {
        items.push(named(Item::warning(
            &item,
            "the kernel may put the adapter to sleep",
            "`surehand doctor --fix` keeps it awake",
        )));
    }
    for (pid, meddler) in meddlers(host) {
        let Some(_) = mend() else { continue };
        items.push(named(Item::warning(
            &item,
            format!("{meddler} (process {pid}) runs, and may write to it when it is plugged in"),
            format!("`surehand doctor --fix` keeps it away; or remove {meddler}"),
        )));
    }
    if items.is_empty() {
        let what = match adapter.latency_ms {
            Some(ms) => format!(
                "is {} ({}), latency {ms} ms",
                device.display(),
                adapter.driver
            ),
            None => format!("is {} ({})", device.display(), adapter.driver),
        };
        items.push(Item::good(item, what));
    }
    items
}

fn meddlers(host: &Host) -> Vec<(u32, String)> {
    let mut all = host.processes();
    all.retain(|(_, name)| MEDDLERS.contains(&name.as_str()));
    all
}

/// What to do about a port that is not there: the ones that are, by their stable names.
fn missing(host: &Host) -> String {
    let there: Vec<String> = adapters(host)
        .into_iter()
        .map(|adapter| {
            let device = Path::new("/dev").join(&adapter.tty);
            adapter.stable.unwrap_or(device).display().to_string()
        })
        .collect();
    if there.is_empty() {
        "connect the arm's adapter and switch its power on: no USB serial adapter is here".into()
    } else {
        format!(
            "connect it, or set `bus.port` to one that is here: {}",
            there.join(", ")
        )
    }
}

/// Whether this user may open it, and whether somebody has.
fn access(host: &Host, item: &str, found: &Path, device: &Path) -> Option<Item> {
    use rustix::fs::{Access, access};
    if access(found, Access::READ_OK | Access::WRITE_OK).is_err() {
        let group = group_of(host, found);
        return Some(Item::error(
            item,
            format!("may not be opened by this user; it belongs to group {group}"),
            format!("`sudo usermod -aG {group} $USER`, then log in again"),
        ));
    }
    let users = users_of(host, device);
    let (pid, name) = users.first()?;
    let remedy = if name.starts_with("surehand") {
        "end that controller with `surehand shutdown`".to_owned()
    } else {
        format!("end it: `kill {pid}`")
    };
    Some(Item::warning(
        item,
        format!("is in use by {name} (process {pid})"),
        remedy,
    ))
}

/// The name of the group that file `path` belongs to.
fn group_of(host: &Host, path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let Ok(gid) = std::fs::metadata(path).map(|meta| meta.gid()) else {
        return "dialout".into();
    };
    let groups = host.read("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(gid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| gid.to_string())
}

/// Where the kernel keeps how long an FTDI adapter holds back what it has read.
fn latency_timer(tty: &str) -> String {
    format!("/sys/class/tty/{tty}/device/latency_timer")
}

/// The rule that gives the adapter a name, wakes it, and keeps it from those who meddle.
fn rule(adapter: &Adapter, name: &str) -> Option<Mend> {
    let usb = adapter.usb.as_ref()?;
    let Usb {
        vendor, product, ..
    } = usb;
    let serial = match &usb.serial {
        // Quotes and brackets mean something in a rule.
        Some(serial)
            if serial
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c)) =>
        {
            format!(", ATTRS{{serial}}==\"{serial}\"")
        }
        _ => String::new(),
    };
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let this =
        format!("ATTRS{{idVendor}}==\"{vendor}\", ATTRS{{idProduct}}==\"{product}\"{serial}");
    let mut text = format!(
        "# The arm's serial adapter: a name that stays, no modem manager, no sleep.\n\
         SUBSYSTEM==\"tty\", {this}, SYMLINK+=\"surehand-{name}\", ENV{{ID_MM_DEVICE_IGNORE}}=\"1\", ENV{{BRLTTY_BRAILLE_DRIVER}}=\"\"\n\
         ACTION==\"add\", SUBSYSTEM==\"usb\", ATTR{{idVendor}}==\"{vendor}\", ATTR{{idProduct}}==\"{product}\", TEST==\"power/control\", ATTR{{power/control}}=\"on\"\n",
    );
    let mut now = Vec::new();
    if adapter.latency_ms.is_some() {
        text += &format!(
            "ACTION==\"add\", SUBSYSTEM==\"usb-serial\", DRIVER==\"{}\", {this}, ATTR{{latency_timer}}=\"{LATENCY_MS}\"\n",
            adapter.driver
        );
        let timer = latency_timer(&adapter.tty).into();
        now.push((timer, LATENCY_MS.to_string()));
    }
    Some(Mend {
        path: format!("/etc/udev/rules.d/70-surehand-{name}.rules").into(),
        text,
        now,
        then: "`sudo udevadm control --reload`, then unplug the adapter and plug it in again"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::host::State;

    /// A machine with an FTDI adapter whose timer is at `latency`, at its socket.
    fn with_adapter(latency: &str, power: &str) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let usb = at("sys/devices/usb1/1-1");
        let tty = usb.join("1-1:1.0/ttyUSB0");
        let put = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put(usb.join("idVendor"), "0403\n");
        put(usb.join("idProduct"), "6014\n");
        put(usb.join("serial"), "FT4ABC\n");
        put(usb.join("power/control"), power);
        put(tty.join("latency_timer"), latency);
        std::fs::create_dir_all(at("sys/bus/usb-serial/drivers/ftdi_sio")).unwrap();
        symlink(
            "../../../../../bus/usb-serial/drivers/ftdi_sio",
            tty.join("driver"),
        )
        .unwrap();
        std::fs::create_dir_all(at("sys/class/tty/ttyUSB0")).unwrap();
        symlink(
            "../../../devices/usb1/1-1/1-1:1.0/ttyUSB0",
            at("sys/class/tty/ttyUSB0/device"),
        )
        .unwrap();
        put(at("dev/ttyUSB0"), "");
        std::fs::create_dir_all(at("dev/serial/by-id")).unwrap();
        symlink(
            "../../ttyUSB0",
            at("dev/serial/by-id/usb-FTDI_FT4ABC-if00-port0"),
        )
        .unwrap();
        std::fs::create_dir_all(at("proc/77/fd")).unwrap();
        let host = Host::at(&std::fs::canonicalize(root.path()).unwrap());
        (root, host)
    }

    fn stable() -> &'static Path {
        Path::new("/dev/serial/by-id/usb-FTDI_FT4ABC-if00-port0")
    }

    #[test]
    fn an_adapter_is_described_as_the_kernel_does() {
        let (_root, host) = with_adapter("16\n", "on\n");
        let found = adapters(&host);
        let wanted = Adapter {
            tty: "ttyUSB0".into(),
            stable: Some(stable().into()),
            driver: "ftdi_sio".into(),
            usb: Some(Usb {
                vendor: "0403".into(),
                product: "6014".into(),
                serial: Some("FT4ABC".into()),
            }),
            latency_ms: Some(16),
            power: Some("on".into()),
        };
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn a_slow_adapter_is_an_error_until_its_rule_is_written() {
        let (_root, host) = with_adapter("16\n", "auto\n");
        let found = items(&host, stable(), "so101");
        let states: Vec<State> = found.iter().map(|item| item.state).collect();
        assert_eq!(states, [State::Error, State::Warning]);
        let mend = found[0].mend.clone().unwrap();
        assert_eq!(
            mend.path,
            Path::new("/etc/udev/rules.d/70-surehand-so101.rules")
        );
        for part in [
            "ATTRS{serial}==\"FT4ABC\"",
            "ATTR{latency_timer}=\"1\"",
            "surehand-so101",
        ] {
            assert!(mend.text.contains(part), "{part} in {}", mend.text);
        }
        mend.write(&host).unwrap();
        let again = items(&host, stable(), "so101");
        assert_eq!(again.len(), 1, "the timer is set: {again:?}");
        assert_eq!(
            again[0].mend, None,
            "it is there; the adapter is to be plugged in again"
        );
    }

    #[test]
    fn a_port_in_order_is_good() {
        let (_root, host) = with_adapter("1\n", "on\n");
        let found = items(&host, stable(), "so101");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].state, State::Good, "{}", found[0]);
    }

    #[test]
    fn a_name_that_changes_is_told_with_the_one_that_stays() {
        let (_root, host) = with_adapter("1\n", "on\n");
        let found = items(&host, Path::new("/dev/ttyUSB0"), "so101");
        assert_eq!(found[0].state, State::Warning);
        let remedy = found[0].remedy.as_ref().unwrap();
        assert!(remedy.contains("usb-FTDI_FT4ABC"), "{remedy}");
    }

    #[test]
    fn a_port_that_is_not_there_is_told_with_those_that_are() {
        let (_root, host) = with_adapter("1\n", "on\n");
        let found = items(&host, Path::new("/dev/ttyACM7"), "so101");
        assert_eq!(found[0].state, State::Error);
        assert!(
            found[0].to_string().contains("usb-FTDI_FT4ABC"),
            "{}",
            found[0]
        );
    }

    #[test]
    fn whoever_has_it_open_and_whoever_meddles_is_named() {
        let (root, host) = with_adapter("1\n", "on\n");
        let comm = root.path().join("proc/77/comm");
        std::fs::write(&comm, "screen\n").unwrap();
        symlink("/dev/ttyUSB0", root.path().join("proc/77/fd/3")).unwrap();
        let found = items(&host, stable(), "so101");
        assert!(
            found[0].what.contains("screen (process 77)"),
            "{}",
            found[0]
        );
        std::fs::write(&comm, "ModemManager\n").unwrap();
        std::fs::remove_file(root.path().join("proc/77/fd/3")).unwrap();
        let found = items(&host, stable(), "so101");
        assert!(found[0].what.contains("ModemManager"), "{}", found[0]);
        found[0].mend.clone().unwrap().write(&host).unwrap();
        let found = items(&host, stable(), "so101");
        assert_eq!(found[0].state, State::Good, "{}", found[0]);
    }
}
