//! Whose session it is: the name and the password from flags, the environment, or a person at a terminal.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{anyhow, bail};
use fernwire::channel::DRAIN_TIMEOUT;
use fernwire::client::Client;
use fernwire::client::account::{LoginError, Welcome, load_password};
use fernwire::model::name::UserName;
use fernwire::model::password::{MIN_PASSWORD, Password};
use fernwire::protocol::ErrorCode;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::cli::AccountArgs;
use crate::connect::{Server, variable};
use crate::output;
use crate::signals::Kept;

/// What is missing where nobody can be asked.
pub(crate) const NOBODY_TO_ASK: &str =
    "the password is missing: name its file with --password-file, or set FERNWIRE_PASSWORD";

/// How often a person may try to remember a password.
const MAX_TRIES: u32 = 3;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 21;

/// An account as far as it is known before there is a connection.
pub(crate) struct Account {
    name: Option<UserName>,
    /// `None`: it is asked for.
    password: Option<Password>,
    signup: bool,
}

impl Account {
    /// What the arguments say, if they name an account.
    pub(crate) fn optional(args: &AccountArgs) -> anyhow::Result<Option<Self>> {
        match args.user {
            Some(_) => Self::needed(args).map(Some),
            None if args.signup || args.password_file.is_some() => bail!("whose account is it? name it with --user"),
            None => Ok(None),
        }
    }

    /// What the arguments say, and that a person is there to say the rest.
    pub(crate) fn needed(args: &AccountArgs) -> anyhow::Result<Self> {
        let can_ask = can_ask();
        if args.user.is_none() && !can_ask {
            bail!(
                "an account is needed, and nobody is there to be asked: give --user NAME, and its password with \
                 --password-file FILE or in FERNWIRE_PASSWORD; --signup makes the account"
            );
        }
        let password = given_password(args.password_file.as_deref())?;
        if password.is_none() && !can_ask {
            bail!("{NOBODY_TO_ASK}");
        }
        if let Some(password) = password.as_ref().filter(|_| args.signup) {
            password.check()?;
        }
        Ok(Self { name: args.user.clone(), password, signup: args.signup })
    }

    /// Its name, if it was named.
    pub(crate) fn name(&self) -> Option<&UserName> {
        self.name.as_ref()
    }

    /// Its password, unless a person is to be asked for it.
    pub(crate) fn password(&self) -> Option<&Password> {
        self.password.as_ref()
    }

    /// Whether it is to be made.
    pub(crate) fn is_new(&self) -> bool {
        self.signup
    }

    /// Connects and logs in, or signs up.
    pub(crate) async fn connect(self, server: &mut Server) -> anyhow::Result<(Client, Welcome)> {
        let client = server.connect().await?;
        match self.enter_any(&client).await {
            Ok(welcome) => Ok((client, welcome)),
            Err(error) => {
                // The server should know that it was not cut off; whether it hears it changes nothing here.
                let _ = tokio::time::timeout(DRAIN_TIMEOUT, client.close()).await;
                Err(error)
            }
        }
    }

    async fn enter_any(&self, client: &Client) -> anyhow::Result<Welcome> {
        // Before a person is asked for what could not be used.
        client.may_have_secrets()?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ask_name()?,
        };
        for tries in 1.. {
            let result = match &self.password {
                Some(password) => self.enter(client, &name, password).await,
                None => self.enter(client, &name, &self.ask_password()?).await,
            };
            match result {
                Ok(welcome) => return Ok(welcome),
                Err(error) if self.may_try_again(&error, tries) => output::note(explained(&error)),
                Err(error) => return Err(anyhow!(explained(&error))),
            }
        }
        unreachable!("there is a last try")
    }

    async fn enter(&self, client: &Client, name: &UserName, password: &Password) -> Result<Welcome, LoginError> {
        if self.signup { client.signup(name, password).await } else { client.login(name, password).await }
    }

    /// A person may have mistyped it, or break a rule for passwords.
    fn may_try_again(&self, error: &LoginError, tries: u32) -> bool {
        let asked = self.password.is_none() && tries < MAX_TRIES;
        asked && (error.is(ErrorCode::BadCredentials) || (self.signup && error.is(ErrorCode::BadRequest)))
    }

    fn ask_password(&self) -> anyhow::Result<Password> {
        if self.signup {
            return ask_new_password();
        }
        Ok(Password::new(read_hidden("Password: ")?.as_str()))
    }
}

/// The password from its file or, without one, from the environment.
pub(crate) fn given_password(file: Option<&Path>) -> anyhow::Result<Option<Password>> {
    Ok(match (file, variable("FERNWIRE_PASSWORD")) {
        (Some(file), _) => Some(load_password(file)?),
        (None, Some(password)) => {
            let text = password.into_string().map_err(|_| anyhow!("FERNWIRE_PASSWORD is not text"))?;
            Some(Password::new(text))
        }
        (None, None) => None,
    })
}

/// Whether a person is there who can answer.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A password that keeps the rules and was typed twice. A person may try as often as he likes, or give up.
pub(crate) fn ask_new_password() -> anyhow::Result<Password> {
    output::note(format_args!(
        "A password has at least {MIN_PASSWORD} characters, with a digit and an uppercase letter."
    ));
    loop {
        let password = Password::new(read_hidden("Password: ")?.as_str());
        if let Err(rule) = password.check() {
            output::note(format_args!("Not this one: {rule}."));
        } else if *read_hidden("The same again: ")? == password.expose() {
            return Ok(password);
        } else {
            output::note("These two differ.");
        }
    }
}

/// Connects, and logs in if the arguments name an account.
pub(crate) async fn connect(server: &mut Server, args: &AccountArgs) -> anyhow::Result<(Client, Option<Welcome>)> {
    match Account::optional(args)? {
        Some(account) => account.connect(server).await.map(|(client, welcome)| (client, Some(welcome))),
        None => Ok((server.connect().await?, None)),
    }
}

/// What went wrong, and what helps.
pub(crate) fn explained(error: &LoginError) -> String {
    let help = match error.is(ErrorCode::BadCredentials) {
        true => "; a new account is made with --signup",
        false => "",
    };
    format!("{error}{help}")
}

fn ask_name() -> anyhow::Result<UserName> {
    loop {
        prompt("Name: ")?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            bail!("no name was given");
        }
        match line.trim().parse() {
            Ok(name) => return Ok(name),
            Err(error) => output::note(format_args!("{error}.")),
        }
    }
}

pub(crate) fn prompt(text: &str) -> io::Result<()> {
    let mut stderr = io::stderr();
    stderr.write_all(text.as_bytes())?;
    stderr.flush()
}

/// A line from the terminal that it does not show.
fn read_hidden(text: &str) -> anyhow::Result<Zeroizing<String>> {
    let quiet = Quiet::begin()?;
    prompt(text)?;
    // As large as it becomes, since a buffer that grows leaves its content behind.
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    for byte in io::stdin().lock().bytes() {
        match byte? {
            b'\n' | b'\r' => {
                drop(quiet);
                output::note("");
                let text = std::str::from_utf8(&line).map_err(|_| anyhow!("the password is not text"))?;
                return Ok(Zeroizing::new(text.to_owned()));
            }
            CTRL_C => break,
            CTRL_D if line.is_empty() => break,
            CTRL_U => line.clear(),
            8 | 127 => {
                // A whole character, which may have several bytes.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte => line.push(byte),
        }
    }
    drop(quiet);
    output::note("");
    bail!("no password was given")
}

/// The terminal shows nothing of what is typed, and leaves even Ctrl-C to us, until this is dropped: a program that dies
/// of it would leave a terminal that shows nothing.
struct Quiet {
    _kept: Kept,
}

impl Quiet {
    fn begin() -> io::Result<Self> {
        let kept = Kept::begin()?;
        let mut quiet = tcgetattr(io::stdin())?;
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self { _kept: kept })
    }
}
