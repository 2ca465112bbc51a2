"""Methods: the one table of what a server does, by whom it may be asked, and whether twice.

Routing, authorisation, decoding, the client and the OpenAPI document are all drawn from it. What a
method takes and returns is said by the store's contract alone (shapes.py): so a new method of
the contract is one line here, and one in client/client.py. A test compares the three.

A call that changes something has an id of its own, and the server keeps its answer for a while: repeated
with that id it is not done again. What is *safe* needs none: done twice it is as done once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lightwork.net.keys.roles import Role


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract.

    Attributes:
        name: As in contract.py.
        roles: Who may call it, beside "admin".
        is_safe: Whether it may be done twice.
        is_urgent: It keeps a lease: it has connections and threads of its own.
        is_patient: Programs call it, and wait for a server that is restarted meanwhile.
        is_known_by_ids: Asked anew of a server that cannot know whether it was done, it finds what was.
    """

    name: str
    roles: tuple[Role, ...]
    is_safe: bool = False
    is_urgent: bool = False
    is_patient: bool = False
    is_known_by_ids: bool = False

    @property
    def path(self) -> str:
        """Where it is called, by POST."""
        return f"{PREFIX}{self.name}"


PREFIX: Final = "/v1/store/"
READERS: Final[tuple[Role, ...]] = ("submit", "work", "view")
# Of locks, queues and shared values.
USERS: Final[tuple[Role, ...]] = ("submit", "work")

_LISTED: Final[tuple[Method, ...]] = (
    # Whoever submits sees what becomes of jobs whose ids it knows, and why they wait.
    Method("submit", ("submit",), is_patient=True, is_known_by_ids=True),
    Method("states", READERS, is_safe=True, is_patient=True),
    Method("outcomes", READERS, is_safe=True),
    Method("results_size", READERS, is_safe=True),
    Method("progress", READERS, is_safe=True),
    Method("cancel", ("submit",), is_patient=True, is_known_by_ids=True),
    Method("retry", ("submit",), is_patient=True),
    Method("job", READERS, is_safe=True),
    Method("held_up", READERS, is_safe=True),
    Method("workers", READERS, is_safe=True),
    Method("summary", READERS, is_safe=True),
    # Workers.
    Method("register", ("work",)),
    Method("renew", ("work",), is_safe=True, is_urgent=True),
    Method("is_draining", ("work",), is_safe=True),
    Method("draining", ("work",), is_safe=True),
    Method("sign_off", ("work",)),
    Method("release_others", ("work",)),
    Method("publish_tasks", ("work",), is_safe=True),
    Method("lanes", ("work", "view"), is_safe=True),
    Method("claim", ("work",)),
    Method("ack", ("work",)),
    Method("report_progress", ("work",), is_safe=True),
    Method("cancel_requests", ("work",), is_safe=True),
    # Upkeep: workers do it, in batches; a batch that is done twice finds nothing left.
    Method("promote", ("work",)),
    Method("expire", ("work",)),
    Method("unblock", ("work",)),
    Method("readmit", ("work",), is_safe=True),
    Method("recount_limits", ("work",)),
    Method("rescue", ("work",)),
    Method("fold", ("work",)),
    Method("chores", ("work", "view"), is_safe=True),
    Method("prune", ("work",)),
    Method("align_clock", ("work",), is_safe=True),
    Method("add_rollups", ("work",)),
    Method("fold_rollups", ("work",)),
    # Schedules: those that tasks declare are kept by workers.
    Method("declare_schedules", ("work",)),
    Method("schedules", ("work", "view"), is_safe=True),
    Method("schedule", ("work", "view"), is_safe=True),
    Method("remove_schedules", ("work",)),
    Method("run_due_schedules", ("work",)),
    Method("pause_schedule", ()),
    Method("resume_schedule", ()),
    Method("run_schedule", ()),
    # People.
    Method("cancel_where", ()),
    Method("retry_where", ()),
    Method("drain", ()),
    Method("pause", ()),
    Method("resume", ()),
    Method("limit_queue", ()),
    Method("purge", ()),
    Method("repair", ()),
    Method("change_setting", ()),
    Method("settings", READERS, is_safe=True, is_patient=True),
    Method("queues", ("view",), is_safe=True),
    Method("jobs", ("view",), is_safe=True),
    Method("payloads", ("view",), is_safe=True),
    Method("relatives", ("view",), is_safe=True),
    Method("attempts", ("view",), is_safe=True),
    Method("depths", ("view",), is_safe=True),
    Method("news_mark", ("view",), is_safe=True),
    Method("new_jobs", ("view",), is_safe=True),
    Method("ended_jobs", ("view",), is_safe=True),
    Method("ended_attempts", ("view",), is_safe=True),
    Method("history", ("view",), is_safe=True),
    Method("totals", ("view",), is_safe=True),
    Method("stats", ("view",), is_safe=True),
    Method("check", ("view",), is_safe=True),
    # Primitives: what is asked has a number of its own, by which the store knows it again.
    Method("open_session", USERS, is_safe=True),
    Method("renew_session", USERS, is_safe=True, is_urgent=True),
    Method("end_session", USERS, is_safe=True),
    Method("open_primitive", USERS, is_safe=True),
    Method("ask_primitive", USERS, is_safe=True),
    Method("collect_reply", USERS, is_safe=True),
    Method("withdraw_request", USERS, is_safe=True),
    Method("primitives", ("view",), is_safe=True),
    Method("break_lock", ()),
    Method("remove_primitive", ()),
    Method("prune_primitives", ("work",)),
)
METHODS: Final[Mapping[str, Method]] = {method.name: method for method in _LISTED}
