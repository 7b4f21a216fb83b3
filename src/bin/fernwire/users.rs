//! `fernwire users`: the accounts, for whoever runs the server.

use std::io::{self, BufRead};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::model::name::UserName;
use fernwire::model::password::Password;
use fernwire::service::accounts::password::{self, COST};
use fernwire::store::{AccountSummary, Credential, Store};
use jiff::tz::TimeZone;
use serde_json::json;

mod import;

use crate::account::{self, NOBODY_TO_ASK};
use crate::chat::lines::json::time;
use crate::cli::{AddArgs, DeleteArgs, PasswdArgs, UsersArgs, UsersCommand};
use crate::configure::Origins;
use crate::output::{self, Unwritten};
use crate::state::{self, minute, now, with_store, with_store_made};

pub(crate) fn run(args: UsersArgs, origins: &Origins) -> anyhow::Result<ExitCode> {
    let UsersArgs { command, state, json } = args;
    let folder = state::folder(state, origins)?;
    match command {
        UsersCommand::List => list(&folder, json)?,
        UsersCommand::Add(args) => add(&folder, &args, json)?,
        UsersCommand::Passwd(args) => passwd(&folder, &args, json)?,
        UsersCommand::Delete(args) => delete(&folder, &args, json)?,
        UsersCommand::Import(args) => return import::run(&folder, &args, json),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(folder: &Path, json: bool) -> anyhow::Result<()> {
    let accounts = with_store(folder, async |store| Ok(store.accounts().await?))?;
    if json {
        accounts.iter().try_for_each(|account| output::json(&described(account)))?;
    } else if accounts.is_empty() {
        output::note(
            "There are no accounts yet: people make theirs with `fernwire chat --signup`, and `fernwire users import` \
             brings those of another program.",
        );
    } else {
        table(&accounts)?;
    }
    Ok(())
}

fn described(account: &AccountSummary) -> serde_json::Value {
    json!({
        "name": account.name, "created": time(account.created), "last_login": account.last_login.map(time),
        "deleted": account.deleted.map(time),
    })
}

fn table(accounts: &[AccountSummary]) -> Result<(), Unwritten> {
    const NAME: &str = "NAME";
    let width = accounts.iter().map(|account| account.name.as_str().chars().count()).max().unwrap_or(0).max(NAME.len());
    let row = |name: &str, created: &str, last_login: &str, deleted: &str| {
        output::result(format!("{name:width$}  {created:16}  {last_login:16}  {deleted}").trim_end())
    };
    row(NAME, "CREATED", "LAST LOGIN", "DELETED")?;
    let zone = TimeZone::system();
    let shown = |time: Option<i64>| time.map_or("-".to_owned(), |time| minute(time, &zone));
    accounts.iter().try_for_each(|account| {
        let [created, last_login, deleted] = [Some(account.created), account.last_login, account.deleted].map(shown);
        row(account.name.as_str(), &created, &last_login, &deleted)
    })
}

fn add(folder: &Path, args: &AddArgs, json: bool) -> anyhow::Result<()> {
    with_store_made(folder, async |store| {
        if let Some(account) = store.accounts().await?.into_iter().find(|account| account.name == args.name) {
            let deleted = if account.deleted.is_some() { ", though it is deleted" } else { "" };
            bail!("the name {} is taken{deleted}; `fernwire users passwd` gives it a new password", account.name);
        }
        let credential = hashed(&new_password(args.password_file.as_deref())?)?;
        let account = store.create_account(args.name.clone(), credential, now()).await?;
        let account = account.ok_or_else(|| anyhow!("the name {} was taken just now", args.name))?;
        match json {
            true => output::json(&json!({ "name": account.name }))?,
            false => output::result(format_args!("{} has an account", account.name))?,
        }
        Ok(())
    })
}

fn hashed(password: &Password) -> anyhow::Result<Credential> {
    password::hash_now(password, COST)
        .map_err(|error| anyhow!("the password is not set, because it could not be hashed: {error}"))
}

fn passwd(folder: &Path, args: &PasswdArgs, json: bool) -> anyhow::Result<()> {
    with_store(folder, async |store| {
        let account = find(store, &args.name).await?;
        let credential = hashed(&new_password(args.password_file.as_deref())?)?;
        if !store.set_credential(&account.name, credential).await? {
            return Err(unknown(&account.name));
        }
        let (name, is_back) = (&account.name, account.deleted.is_some());
        if json {
            output::json(&json!({ "name": name, "brought_back": is_back }))?;
            return Ok(());
        }
        let what = if is_back { "is back, with a new password" } else { "has a new password" };
        output::result(format_args!("{name} {what}"))?;
        output::note(
            "Sessions that are open stay open; whichever is lost does not come back without the new password.",
        );
        Ok(())
    })
}

/// One that keeps the rules.
fn new_password(file: Option<&Path>) -> anyhow::Result<Password> {
    let Some(password) = account::given_password(file)? else {
        return if account::can_ask() { account::ask_new_password() } else { bail!("{NOBODY_TO_ASK}") };
    };
    if file.is_none() {
        output::note("The new password is the one in FERNWIRE_PASSWORD.");
    }
    password.check().map_err(|rule| anyhow!("the password is not set: {rule}"))?;
    Ok(password)
}

fn delete(folder: &Path, args: &DeleteArgs, json: bool) -> anyhow::Result<()> {
    with_store(folder, async |store| {
        let AccountSummary { name, deleted, .. } = find(store, &args.name).await?;
        if let Some(deleted) = deleted {
            let day = minute(deleted, &TimeZone::system());
            bail!("{name} was deleted already, on {day}; `fernwire users passwd {name}` brings it back");
        }
        if !args.yes {
            confirm(&name)?;
        }
        if !store.delete_account(&name, state::now()).await? {
            bail!("{name} was deleted just now by somebody else");
        }
        if json {
            output::json(&json!({ "name": name, "deleted": true }))?;
        } else {
            output::result(format_args!("{name} is deleted"))?;
        }
        Ok(())
    })
}

fn confirm(name: &UserName) -> anyhow::Result<()> {
    if !account::can_ask() {
        bail!("{name} is not deleted, since nobody is there to be asked; --yes deletes without asking");
    }
    output::note(format_args!(
        "The password of {name} goes, and its places in rooms. What it said stays, and its name stays taken, so that\n\
         nobody else becomes who it was. `fernwire users passwd {name}` would bring it back.",
    ));
    account::prompt(&format!("Delete {name}? (yes or no): "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "yes" | "y" => Ok(()),
        _ => bail!("{name} is not deleted"),
    }
}

/// The account with this name, deleted or not.
async fn find(store: &Store, name: &UserName) -> anyhow::Result<AccountSummary> {
    let key = name.key();
    let found = store.accounts().await?.into_iter().find(|account| account.name.key() == key);
    found.ok_or_else(|| unknown(name))
}

fn unknown(name: &UserName) -> anyhow::Error {
    anyhow!("there is no account {name}; `fernwire users list` shows those that there are")
}
