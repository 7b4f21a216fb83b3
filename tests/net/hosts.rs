//! Two hosts of a test's own with a link between them: network namespaces, which nothing outlives.

use std::cell::Cell;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::program::Sandbox;

/// The name of a server's host, which its clients' hosts alone know.
pub(crate) const NAME: &str = "home.fernwire.test";
/// Its addresses, which are for documentation (RFC 5737, RFC 3849).
pub(crate) const HOME: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
/// The addresses of the other host.
pub(crate) const AWAY: [&str; 2] = ["192.0.2.2", "2001:db8::2"];

/// What the namespaces of these tests begin with; then comes the id of the process that has made them.
const OURS: &str = "fernwire-test-";
/// Where ip keeps namespaces by their names.
const NAMESPACES: &str = "/run/netns";
/// How each host calls its end of the link.
const LINK: &str = "cable";

/// Ends whatever runs in these namespaces, and removes them, once nobody holds its stdin any more: the test is over,
/// has failed, was interrupted or killed. What is typed to interrupt the test does not reach it.
const CLEAN_UP: &str = r#"
trap '' HUP INT QUIT TERM
cat >/dev/null
for namespace; do
    for process in $(ip netns pids "$namespace" 2>/dev/null); do kill -s KILL "$process"; done
    ip netns delete "$namespace" 2>/dev/null
done
"#;

/// Becomes a program that sees this file in place of /etc/hosts. `ip netns exec` has given it mounts of its own.
const WITH_HOSTS: &str = r#"mount --bind "$1" /etc/hosts && shift && exec "$@""#;

/// Both hosts, as long as the test runs.
pub(crate) struct Hosts {
    pub(crate) home: Host,
    pub(crate) away: Host,
    clean_up: Child,
}

/// One of them.
pub(crate) struct Host {
    namespace: String,
    addresses: [&'static str; 2],
    /// The files that say which names its people know.
    known: TempDir,
    knowledge: Cell<u32>,
}

impl Hosts {
    pub(crate) fn new() -> Self {
        static LEFT_OVER: Once = Once::new();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        LEFT_OVER.call_once(remove_what_was_left);
        let prefix = format!("{OURS}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let [home, away] = ["home", "away"].map(|name| format!("{prefix}-{name}"));
        // Before there is anything to remove.
        let clean_up = clean_up(&[&home, &away], Stdio::piped());
        let (home, away) = (Host::new(home, HOME), Host::new(away, AWAY));
        let hosts = Self { home, away, clean_up };
        for host in [&hosts.home, &hosts.away] {
            ip(&["netns", "add", &host.namespace]);
        }
        let far = &hosts.away.namespace;
        hosts.home.ip(&["link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", far]);
        for host in [&hosts.home, &hosts.away] {
            host.ip(&["link", "set", "lo", "up"]);
            host.connects();
        }
        hosts
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        drop(self.clean_up.stdin.take());
        let _ = self.clean_up.wait();
    }
}

impl Host {
    fn new(namespace: String, addresses: [&'static str; 2]) -> Self {
        Self { namespace, addresses, known: tempfile::tempdir().unwrap(), knowledge: Cell::new(0) }
    }

    /// Somebody here, who has nothing yet, and knows both addresses of the other host's name.
    pub(crate) fn user(&self) -> Sandbox {
        self.user_who_knows(&HOME.map(|address| (address, NAME)))
    }

    /// Somebody here who knows these addresses by these names, and no other name.
    pub(crate) fn user_who_knows(&self, names: &[(&str, &str)]) -> Sandbox {
        let number = self.knowledge.replace(self.knowledge.get() + 1);
        let file = self.known.path().join(number.to_string());
        let lines: Vec<_> = names.iter().map(|(address, name)| format!("{address} {name}\n")).collect();
        fs::write(&file, lines.concat()).unwrap();
        let file = file.to_str().unwrap();
        let through = ["ip", "netns", "exec", &self.namespace, "sh", "-c", WITH_HOSTS, "sh", file];
        Sandbox::through(&through.map(str::to_owned))
    }

    /// The link goes down, as if somebody had pulled the cable. Whoever is connected is told nothing.
    pub(crate) fn is_cut_off(&self) {
        self.ip(&["link", "set", LINK, "down"]);
    }

    /// The link is there (again), with its addresses.
    pub(crate) fn connects(&self) {
        self.ip(&["link", "set", LINK, "up"]);
        let [v4, v6] = self.addresses;
        self.ip(&["address", "replace", &format!("{v4}/24"), "dev", LINK]);
        // Which a link that goes down loses. Nobody has the same one, so it is good at once.
        self.ip(&["address", "replace", &format!("{v6}/64"), "dev", LINK, "nodad"]);
    }

    /// What moves the thread that calls it here, with whatever sockets it makes from then on.
    pub(crate) fn entrance(&self) -> impl FnOnce() + Send + 'static {
        let namespace = fs::File::open(Path::new(NAMESPACES).join(&self.namespace)).unwrap();
        move || move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap()
    }

    fn ip(&self, args: &[&str]) {
        ip(&[&["-n", &self.namespace], args].concat());
    }
}

#[track_caller]
fn ip(args: &[&str]) {
    let outcome = Command::new("ip").args(args).output().unwrap();
    assert!(outcome.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&outcome.stderr));
}

/// Starts what removes these namespaces when this stdin ends.
fn clean_up(namespaces: &[&str], until: Stdio) -> Child {
    let mut command = Command::new("sh");
    // A group of its own: whoever interrupts the test does not mean this.
    command.args(["-c", CLEAN_UP, "sh"]).args(namespaces).stdin(until).process_group(0).spawn().unwrap()
}

/// Removes what earlier runs have left, if even what cleans up after them was killed.
fn remove_what_was_left() {
    // Without the folder there are none.
    let Ok(entries) = fs::read_dir(NAMESPACES) else { return };
    let names: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let is_left = |name: &&str| {
        let maker = name.strip_prefix(OURS).and_then(|rest| rest.split('-').next());
        maker.is_some_and(|pid| pid == std::process::id().to_string() || !Path::new("/proc").join(pid).exists())
    };
    let left: Vec<_> = names.iter().map(String::as_str).filter(is_left).collect();
    let _ = clean_up(&left, Stdio::null()).wait();
}
