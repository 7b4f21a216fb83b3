//! Where bare Fernet is spoken, and what stands behind the `?` of such an address.
//!
//! ```text
//! fernet://host:port?service=query&key=legacy.key&idle=1h&max-token=1024
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{percent_decode_str, utf8_percent_encode};

use super::{IN_PATH, ParseEndpointError, parse_host_and_port};
use crate::model::span::parse_span;

/// What a path must not carry as it is inside the parameters.
const IN_PARAMETER: &percent_encoding::AsciiSet = &IN_PATH.add(b'&').add(b'=').add(b'+').add(b',').add(b'~');

/// How long a session may be silent between tokens: those programs connect first and ask a person afterwards.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(3600);
/// The longest.
pub const MAX_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest token in characters that a program takes which calls `recv(1024)`.
pub const DEFAULT_MAX_TOKEN: usize = 1024;
/// The same for those that take data, which call `recv(4096)`.
pub const DEFAULT_MAX_SUBMITTED_TOKEN: usize = 4096;
/// The shortest token that is worth sending: a timestamp's.
pub const MIN_MAX_TOKEN: usize = 120;
/// The longest token in characters that anybody may send or be sent.
pub const MAX_TOKEN: usize = 65_536;

/// A place on a network where bare Fernet is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FernetAddress {
    /// The host.
    pub host: String,
    /// The port; 0 lets the system choose when listening.
    pub port: u16,
    /// What is done there. A listener needs to know; a client knows by its command.
    pub service: Option<FernetService>,
    /// The file of the key.
    pub key: Option<PathBuf>,
    /// How long a session may be silent between tokens, if not for [`DEFAULT_IDLE`].
    pub idle: Option<Duration>,
    /// The longest token in characters to send, if not [`DEFAULT_MAX_TOKEN`] or [`DEFAULT_MAX_SUBMITTED_TOKEN`].
    pub max_token: Option<usize>,
}

/// A service that programs with bare Fernet can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FernetService {
    /// Timestamps.
    Query,
    /// The message log.
    Log,
    /// Data submission.
    Submit,
}

impl FernetService {
    const ALL: [Self; 3] = [Self::Query, Self::Log, Self::Submit];

    /// Its name in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Log => "log",
            Self::Submit => "submit",
        }
    }
}

impl fmt::Display for FernetService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FernetAddress {
    /// The host and the port alone, and what is done there: as messages name it.
    pub(super) fn without_files(&self) -> Self {
        let place = Self::at(self.host.clone(), self.port);
        Self { service: self.service, ..place }
    }

    fn at(host: String, port: u16) -> Self {
        Self { host, port, service: None, key: None, idle: None, max_token: None }
    }

    /// What stands behind the port, with its `?` if there is anything.
    pub(super) fn write_parameters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.key.as_ref().map(|path| path.to_string_lossy().into_owned());
        let parameters = [
            ("service", self.service.map(|service| service.to_string())),
            ("key", path.map(|path| utf8_percent_encode(&path, IN_PARAMETER).to_string())),
            ("idle", self.idle.map(|idle| format!("{}s", idle.as_secs()))),
            ("max-token", self.max_token.map(|most| most.to_string())),
        ];
        let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for ((name, value), before) in given.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
            write!(f, "{before}{name}={value}")?;
        }
        Ok(())
    }
}

/// Why what stands behind the `?` of an address is none of its parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFernetError {
    /// There is no port.
    #[error("an address of bare Fernet has a port of its own; write it as fernet://host:65432?key=FILE")]
    NoPort,
    /// A name that means nothing.
    #[error("`{0}` is no parameter of a fernet:// address; there are service=, key=, idle= and max-token=")]
    Unknown(String),
    /// A `?` among them.
    #[error("the parameters of a fernet:// address stand behind one `?`, with an `&` between them")]
    SecondMark,
    /// A parameter twice.
    #[error("`{0}=` stands twice in a fernet:// address")]
    Twice(&'static str),
    /// A service that there is not.
    #[error("`service={0}` is none that bare Fernet can use; there are query, log and submit")]
    Service(String),
    /// A file without a name.
    #[error("`key=` needs the name of a file, such as key=legacy.key")]
    Key,
    /// What only a shell understands.
    #[error("`key=` begins with `~`, which a shell replaces only at the beginning of a word; write the path in full")]
    Home,
    /// A time that is none.
    #[error("`idle={0}` is not a time from 1s to 7d, such as 30m or 1h")]
    Idle(String),
    /// A length that is none.
    #[error("`max-token={0}` is not a number of characters from {MIN_MAX_TOKEN} to {MAX_TOKEN}")]
    MaxToken(String),
    /// An identity, which nobody proves there.
    #[error("bare Fernet proves no identity, so nothing can follow the `#` of a fernet:// address")]
    Pinned,
}

/// What follows `fernet://`.
impl FromStr for FernetAddress {
    type Err = ParseEndpointError;

    fn from_str(rest: &str) -> Result<Self, Self::Err> {
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = parse_host_and_port(place)?;
        let mut address = Self::at(host, port.ok_or(ParseFernetError::NoPort)?);
        if parameters.contains('?') {
            return Err(ParseFernetError::SecondMark.into());
        }
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "service" => set(&mut address.service, "service", service(value)?)?,
                "key" => set(&mut address.key, "key", path(value)?)?,
                "idle" => set(&mut address.idle, "idle", idle(value)?)?,
                "max-token" => set(&mut address.max_token, "max-token", max_token(value)?)?,
                other => return Err(ParseFernetError::Unknown(other.to_owned()).into()),
            }
        }
        Ok(address)
    }
}

fn set<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), ParseFernetError> {
    place.replace(value).map_or(Ok(()), |_| Err(ParseFernetError::Twice(name)))
}

fn service(value: &str) -> Result<FernetService, ParseFernetError> {
    let found = FernetService::ALL.into_iter().find(|service| service.as_str() == value);
    found.ok_or_else(|| ParseFernetError::Service(value.to_owned()))
}

fn path(value: &str) -> Result<PathBuf, ParseFernetError> {
    let path = percent_decode_str(value).decode_utf8().map_err(|_| ParseFernetError::Key)?;
    if path.starts_with("~/") {
        return Err(ParseFernetError::Home);
    }
    if path.is_empty() || path.contains('\0') { Err(ParseFernetError::Key) } else { Ok(PathBuf::from(path.as_ref())) }
}

fn idle(value: &str) -> Result<Duration, ParseFernetError> {
    let idle = parse_span(value).map(Duration::from_secs).filter(|idle| *idle <= MAX_IDLE);
    idle.ok_or_else(|| ParseFernetError::Idle(value.to_owned()))
}

fn max_token(value: &str) -> Result<usize, ParseFernetError> {
    let digits = Some(value).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
    let most = digits.and_then(|digits| digits.parse().ok());
    let most = most.filter(|most| (MIN_MAX_TOKEN..=MAX_TOKEN).contains(most));
    most.ok_or_else(|| ParseFernetError::MaxToken(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    fn refusal(text: &str) -> ParseFernetError {
        match text.parse::<Endpoint>() {
            Err(ParseEndpointError::Fernet(error)) => error,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        for text in [
            "fernet://127.0.0.1:65432",
            "fernet://[::1]:1?key=legacy.key",
            "fernet://h:1?service=query&key=/a%20b/c%26d%3D%2C.key&idle=90s&max-token=4096",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        let endpoint: Endpoint = "fernet://H:1?max-token=120&idle=1h&key=k&service=log&".parse().unwrap();
        assert_eq!(endpoint.to_string(), "fernet://h:1?service=log&key=k&idle=3600s&max-token=120");
        assert_eq!(endpoint.without_identity().to_string(), "fernet://h:1?service=log");
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        use ParseFernetError::*;
        assert_eq!(refusal("fernet://h"), NoPort);
        assert_eq!(refusal("fernet://h?key=k"), NoPort);
        assert_eq!(refusal("fernet://h:1?kee=k"), Unknown("kee".into()));
        assert_eq!(refusal("fernet://h:1?key=k&key=l"), Twice("key"));
        assert_eq!(refusal("fernet://h:1?service=chat"), Service("chat".into()));
        assert_eq!(refusal("fernet://h:1?key"), Key);
        assert_eq!(refusal("fernet://h:1?key=%00"), Key);
        assert_eq!(refusal("fernet://h:1?key=~/legacy.key"), Home);
        assert_eq!(refusal("fernet://h:1?key=k?service=log"), SecondMark);
        assert_eq!(refusal("fernet://h:1?idle=8d"), Idle("8d".into()));
        for few in ["119", "65537", "+200", ""] {
            assert_eq!(refusal(&format!("fernet://h:1?max-token={few}")), MaxToken(few.into()));
        }
        assert_eq!(refusal("fernet://h:1#fwk1_x"), Pinned);
        assert!(matches!("fernet://:1".parse::<Endpoint>(), Err(ParseEndpointError::BadHost(_))));
    }
}
