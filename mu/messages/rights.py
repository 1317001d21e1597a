"""What a user of a Redis or Valkey server needs for messages; nothing is imported for it."""

RIGHTS = (
    "resetkeys ~{mu/* resetchannels -@all +exists +xadd +xread +xrevrange +pexpire +sadd +spop "
    "+unlink +multi +exec"
)
"""Rules of an access control list; docs/mu.md has the same."""
