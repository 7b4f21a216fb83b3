//! One manual page: what clap knows of a command, and beside it the variables and files that matter to it.

use std::io;

use clap::Command;
use clap::builder::{Resettable, StyledStr};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

/// How the help begins the list of exit codes, if a command has its own.
const EXIT_CODES: &str = "Exit codes:";

/// The exit codes of every other command.
const USUAL_EXIT_CODES: &str = "  0  done\n  2  something failed, and stderr says what";

/// What matters to every command with one of these arguments.
struct Item {
    name: &'static str,
    arguments: &'static [&'static str],
    text: &'static str,
}

/// The variables that are no argument's.
const VARIABLES: [Item; 8] = [
    Item {
        name: "FERNWIRE_CA",
        arguments: &["ca"],
        text: "The same as --ca, which counts more; only for servers on tls:// whose address has no identity.",
    },
    Item {
        name: "FERNWIRE_PASSWORD",
        arguments: &["password_file"],
        text: "The password of the account, unless --password-file names a file. Other programs of the same user can see it.",
    },
    Item {
        name: "FERNWIRE_SERVER",
        arguments: &["server"],
        text: "The server, unless --server or the first argument names one.",
    },
    Item { name: "NO_COLOR", arguments: &["check"], text: "Set to anything, it takes the colours out of the logs." },
    Item {
        name: "NOTIFY_SOCKET",
        arguments: &["check"],
        text: "Set by systemd, which is told there when the server is ready, reloads and stops.",
    },
    Item {
        name: "SSL_CERT_FILE",
        arguments: &["ca"],
        text: "The authorities that are trusted instead of those of the system (PEM).",
    },
    Item {
        name: "XDG_CONFIG_HOME",
        arguments: &["config", "accept_new"],
        text: "Where configuration is kept; $HOME/.config by default.",
    },
    Item {
        name: "XDG_DATA_HOME",
        arguments: &["data", "accept_new"],
        text: "Where the server's state is kept; $HOME/.local/share by default.",
    },
];

const FILES: [Item; 8] = [
    Item {
        name: "$XDG_CONFIG_HOME/fernwire/config.toml",
        arguments: &["config"],
        text: "The configuration of this user's server, if --config names no other.",
    },
    Item {
        name: "$XDG_CONFIG_HOME/fernwire/known_hosts",
        arguments: &["accept_new"],
        text: "The servers that this user has met, with the identity of each. To trust another identity, change its line.",
    },
    Item {
        name: "$XDG_CONFIG_HOME/fernwire/query_history",
        arguments: &["words"],
        text: "What was typed at the prompt.",
    },
    Item {
        name: "$XDG_DATA_HOME/fernwire/identity.key",
        arguments: &["data", "accept_new"],
        text: "The identity of this user's server, which its first run makes; it stays on that machine.",
    },
    Item {
        name: "$XDG_DATA_HOME/fernwire/server_logs.txt",
        arguments: &["open", "messages"],
        text: "The message log of this user's server; the database beside it, fernwire.db, is what counts.",
    },
    Item {
        name: "$XDG_DATA_HOME/fernwire/submissions.jsonl",
        arguments: &["submissions", "pairs"],
        text: "What was submitted to this user's server, a JSON object a line.",
    },
    Item {
        name: "$XDG_DATA_HOME/fernwire/tls-cert.pem",
        arguments: &["tls_cert"],
        text: "The certificate that the server makes for itself if none is named; tls-key.pem beside it has its key.",
    },
    Item {
        name: "./secret.key",
        arguments: &["secret_key", "file"],
        text: "The secret key that both sides hold; fernwire-keygen(1) makes it. Only its owner may be able to read it.",
    },
];

/// `one, two and three`
fn listed(names: &[String]) -> String {
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

/// The page of a command, or of the whole program.
pub(super) struct Page<'a> {
    program: &'a Command,
    command: Option<&'a Command>,
}

impl<'a> Page<'a> {
    /// Of a program that was built, and of this command of it, or of the program itself.
    pub(super) fn new(program: &'a Command, command: Option<&'a Command>) -> Self {
        Self { program, command }
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}.1", name(self.subject()))
    }

    /// The page for man(1).
    pub(super) fn render(&self) -> io::Result<String> {
        let mut subject = self.subject().clone().after_help(Resettable::Reset).version(None);
        let usage = subject.render_usage().to_string();
        let mut subject = subject.override_usage(usage.trim_start_matches("Usage: ").to_owned());
        if self.command.is_some() {
            // They have no pages of their own, which would be named here.
            subject = subject.mut_subcommands(|command| command.hide(true));
        }
        let man = Man::new(subject.subcommand_help_heading("COMMANDS"))
            // An argument with nothing in it would be left out, and the next take its place.
            .date("\"\"")
            .source(concat!("Fernwire ", env!("CARGO_PKG_VERSION")))
            .manual("Fernwire Manual");
        let mut page = Vec::new();
        man.render(&mut page)?;
        // Paths and flags are not to be hyphenated, nor stretched.
        let page = String::from_utf8_lossy(&page).replacen(".SH NAME", ".nh\n.ad l\n.SH NAME", 1);
        let own = self.own_sections().render();
        // Both begin with the lines that define an apostrophe.
        let own = own.find(".SH").map_or("", |start| &own[start..]);
        // In a manual page these are other characters than in a shell.
        Ok((page + own).replace('`', r"\(ga").replace('~', r"\(ti").replace('^', r"\(ha"))
    }

    fn subject(&self) -> &'a Command {
        self.command.unwrap_or(self.program)
    }

    /// The command, or all of them.
    fn commands(&self) -> Vec<&'a Command> {
        self.command.map_or_else(|| self.program.get_subcommands().collect(), |command| vec![command])
    }

    fn own_sections(&self) -> Roff {
        let mut roff = Roff::new();
        self.nested_commands(&mut roff);
        let help = self.command.map(after_help).unwrap_or_default();
        let notes = notes(&help);
        if !help.is_empty() && !notes.is_empty() {
            roff.control("SH", ["NOTES"]);
            notes.iter().for_each(|note| block(&mut roff, note));
        }
        self.exit_status(&mut roff);
        self.environment(&mut roff);
        section(&mut roff, "FILES", self.matching(&FILES));
        self.see_also(&mut roff);
        roff
    }

    /// What a command such as `users list` takes beside what all those of `users` take.
    fn nested_commands(&self, roff: &mut Roff) {
        let Some(command) = self.command.filter(|command| command.has_subcommands()) else { return };
        roff.control("SH", ["COMMANDS"]);
        for nested in command.get_subcommands() {
            let usage = nested.clone().render_usage().to_string();
            roff.control("SS", [usage.trim_start_matches("Usage: ")]);
            roff.text([roman(nested.get_about().map(StyledStr::to_string).unwrap_or_default())]);
            for argument in
                nested.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_id() != "help")
            {
                item(
                    roff,
                    &argument.to_string(),
                    roman(argument.get_help().map(StyledStr::to_string).unwrap_or_default()),
                );
            }
            notes(&after_help(nested)).iter().for_each(|note| block(roff, note));
        }
    }

    fn exit_status(&self, roff: &mut Roff) {
        let commands = self.commands().into_iter();
        let help: Vec<_> = commands.flat_map(|command| with_nested(command).map(after_help)).collect();
        let special = help.iter().flat_map(|help| help.split("\n\n")).find_map(|note| note.strip_prefix(EXIT_CODES));
        roff.control("SH", ["EXIT STATUS"]);
        block(roff, special.unwrap_or(USUAL_EXIT_CODES).trim_matches('\n'));
    }

    /// The variables of the arguments, and the others.
    fn environment(&self, roff: &mut Roff) {
        let mut items = self.matching(&VARIABLES);
        for (variable, flag, commands) in self.argument_variables() {
            let whose = if self.command.is_some() { String::new() } else { format!(" of {}", listed(&commands)) };
            items.retain(|(name, _)| *name != variable);
            items.push((variable, format!("The same as {flag}{whose}, which counts more.")));
        }
        items.sort();
        section(roff, "ENVIRONMENT", items);
    }

    /// The variable of each flag that has one, the flag, and the pages of the commands that know it.
    fn argument_variables(&self) -> Vec<(String, String, Vec<String>)> {
        let mut variables: Vec<(String, String, Vec<String>)> = Vec::new();
        for command in self.commands() {
            let page = format!("{}(1)", name(command));
            for argument in with_nested(command).flat_map(Command::get_arguments) {
                let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) else { continue };
                match variables.iter_mut().find(|(known, ..)| variable == known.as_str()) {
                    Some((_, _, pages)) if pages.last() == Some(&page) => {}
                    Some((_, _, pages)) => pages.push(page.clone()),
                    None => {
                        let variable = variable.to_string_lossy().into_owned();
                        variables.push((variable, format!("--{flag}"), vec![page.clone()]));
                    }
                }
            }
        }
        variables
    }

    /// Those that matter here, as the name and the text of each.
    fn matching(&self, items: &[Item]) -> Vec<(String, String)> {
        let commands = self.commands();
        let has = |id: &&str| {
            commands
                .iter()
                .any(|command| with_nested(command).flat_map(Command::get_arguments).any(|found| found.get_id() == *id))
        };
        let matching = items.iter().filter(|item| item.arguments.iter().any(has));
        matching.map(|item| (item.name.to_owned(), item.text.to_owned())).collect()
    }

    fn see_also(&self, roff: &mut Roff) {
        let Some(command) = self.command else { return };
        let others = self.program.get_subcommands().filter(|other| other.get_name() != command.get_name());
        roff.control("SH", ["SEE ALSO"]);
        let mut line = Vec::new();
        for page in [self.program].into_iter().chain(others) {
            if !line.is_empty() {
                line.push(roman(", "));
            }
            line.extend([bold(name(page)), roman("(1)")]);
        }
        roff.text(line);
    }
}

/// The command, and those below it.
fn with_nested(command: &Command) -> impl Iterator<Item = &Command> {
    [command].into_iter().chain(command.get_subcommands())
}

/// The paragraphs after the options, without the exit codes.
fn notes(help: &str) -> Vec<&str> {
    help.split("\n\n").filter(|note| !note.is_empty() && !note.starts_with(EXIT_CODES)).collect()
}

fn after_help(command: &Command) -> String {
    command.get_after_help().map(StyledStr::to_string).unwrap_or_default()
}

/// `fernwire-serve` for `fernwire serve`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn section(roff: &mut Roff, title: &str, items: Vec<(String, String)>) {
    if items.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    for (name, text) in items {
        item(roff, &name, roman(text));
    }
}

fn item(roff: &mut Roff, name: &str, text: Inline) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([text]);
}

/// A paragraph of the help. Its indented lines are items, a name and a text with two spaces between them, or commands.
fn block(roff: &mut Roff, text: &str) {
    let mut in_paragraph = false;
    for line in text.lines() {
        let Some(indented) = line.strip_prefix("  ") else {
            if !in_paragraph {
                roff.control("PP", []);
            }
            in_paragraph = true;
            roff.text([roman(line)]);
            continue;
        };
        in_paragraph = false;
        match indented.split_once("  ") {
            Some((name, text)) => item(roff, name, roman(text.trim_start())),
            None => {
                roff.control("RS", ["4"]);
                roff.text([bold(indented)]);
                roff.control("RE", []);
            }
        }
    }
}
