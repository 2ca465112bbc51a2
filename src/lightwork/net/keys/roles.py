"""Roles: what the holder of a key may do, and by which name a key is known and revoked.

    submit   submit jobs, see the outcomes of its own
    work     claim, ack, heartbeat; locks of its own leases
    view     read
    admin    all of that, and the rest

Which route needs which role is the server's table; here a role is a word that a key is made for.
"""

import re
from typing import Final, Literal, get_args

from lightwork.errors import UsageError

Role = Literal["submit", "work", "view", "admin"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
# Who has the authkey itself needs no key of its own; nor can it be revoked by name.
OWNER: Final = "authkey"
# Signs, paths and separators of any kind would make two names look alike, or one look like two.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


def check_role(role: str) -> Role:
    """Return the role.

    Raises:
        UsageError: There is no such role.
    """
    for known in ROLES:
        if known == role:
            return known
    raise UsageError(f"there is no role {role[:64]!r}; expected one of {', '.join(ROLES)}")


def check_name(name: str) -> str:
    """Return the name of a key's holder.

    Raises:
        UsageError: It is not written in letters, digits, "-" and "_", or it is that of the authkey.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:64]!r} cannot be the name of a key; expected 1 to 64 letters and digits of "
            'ASCII, "-" and "_", the first a letter or digit'
        )
    if name == OWNER:
        raise UsageError(
            f"{OWNER!r} is what the holder of the authkey itself is called; choose another name"
        )
    return name
