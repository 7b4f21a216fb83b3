-- Times are milliseconds since 1970 (UTC). Keys are names in the form in which they are compared.

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    key        TEXT NOT NULL UNIQUE,
    credential TEXT,
    created    INTEGER NOT NULL,
    last_login INTEGER,
    -- A deleted account keeps its row: its name stays taken, and what it said keeps its author.
    deleted    INTEGER,
    CHECK ((credential IS NULL) = (deleted IS NOT NULL))
) STRICT;

CREATE TABLE tickets (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    hash    BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX tickets_of_account ON tickets (account, id);
CREATE INDEX tickets_by_end ON tickets (expires);

-- A room has a key and a name; a direct conversation has two accounts, the lower id first, and both may be one.
CREATE TABLE conversations (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    key    TEXT UNIQUE,
    name   TEXT,
    topic  TEXT NOT NULL DEFAULT '',
    low    INTEGER REFERENCES accounts,
    high   INTEGER REFERENCES accounts,
    last   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (low, high),
    CHECK ((key IS NULL) = (name IS NULL) AND (key IS NULL) = (low IS NOT NULL)),
    CHECK ((low IS NULL) = (high IS NULL) AND low <= high)
) STRICT;

CREATE TABLE members (
    account      INTEGER NOT NULL REFERENCES accounts,
    conversation INTEGER NOT NULL REFERENCES conversations,
    operator     INTEGER NOT NULL,
    PRIMARY KEY (account, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_of_conversation ON members (conversation, account);

-- How far somebody has read. Who leaves and comes back has not forgotten it.
CREATE TABLE positions (
    account      INTEGER NOT NULL REFERENCES accounts,
    conversation INTEGER NOT NULL REFERENCES conversations,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (account, conversation)
) STRICT, WITHOUT ROWID;

-- What was said. Never changed, never removed.
CREATE TABLE entries (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations,
    seq          INTEGER NOT NULL,
    time         INTEGER NOT NULL,
    author       INTEGER NOT NULL REFERENCES accounts,
    kind         INTEGER NOT NULL,
    text         TEXT NOT NULL,
    post_id      TEXT NOT NULL,
    -- The conversation as a word, so that a search need not look at what was said elsewhere.
    place        TEXT NOT NULL GENERATED ALWAYS AS ('c' || conversation) VIRTUAL,
    UNIQUE (conversation, seq),
    UNIQUE (author, post_id)
) STRICT;

CREATE VIRTUAL TABLE entry_words USING fts5 (
    text, place, content = 'entries', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER entries_have_words AFTER INSERT ON entries BEGIN
    INSERT INTO entry_words (rowid, text, place) VALUES (new.id, new.text, new.place);
END;

-- Bans and mutes: of an account or of an address, in one room or, without a conversation, on the whole server.
CREATE TABLE sanctions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL CHECK (kind IN ('ban', 'mute')),
    conversation INTEGER REFERENCES conversations,
    account      INTEGER REFERENCES accounts,
    address      TEXT,
    -- Without an end: for good.
    until        INTEGER,
    -- Without an account: whoever runs the server.
    by           INTEGER REFERENCES accounts,
    since        INTEGER NOT NULL,
    CHECK ((account IS NULL) <> (address IS NULL))
) STRICT;
CREATE INDEX sanctions_of_account ON sanctions (account) WHERE account IS NOT NULL;
CREATE INDEX sanctions_of_address ON sanctions (address) WHERE address IS NOT NULL;

-- The message log. Rows are gapless from 1.
CREATE TABLE log (
    row     INTEGER PRIMARY KEY,
    stream  TEXT NOT NULL,
    number  INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    address TEXT NOT NULL,
    account TEXT,
    text    TEXT NOT NULL,
    UNIQUE (stream, number)
) STRICT;

-- Submitted data. Rows are gapless from 1.
CREATE TABLE submissions (
    row     INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    time    INTEGER NOT NULL,
    address TEXT NOT NULL,
    account TEXT,
    format  TEXT NOT NULL,
    data    TEXT NOT NULL
) STRICT;

INSERT INTO conversations (key, name) VALUES ('#lobby', '#lobby');
