"""A second reading of docs/protocol.md, which shares no code with the crate."""
