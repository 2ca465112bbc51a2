"""Value: a few bytes with a version; the machine of Value and Array where no memory is shared."""

from dataclasses import dataclass

from lightwork.machines.shapes import Answer, Ask, Caller, Cells, Event, Plain


@dataclass(frozen=True, slots=True)
class ValueState:
    """The bytes, and how often they were written."""

    content: bytes
    version: int = 0


class ValueMachine:
    """Get, set, read, write, swap.

    - get: (version, bytes)
    - set (bytes): version
    - read (start, stop): bytes
    - write (start, bytes): version; as many bytes as before
    - swap (version, bytes), which writes only if this is still the version: (done, version, bytes)
    """

    kind = "value"

    def begin(self, spec: tuple[Plain, ...]) -> ValueState:
        """Return what is there at first; `spec` is (bytes,)."""
        (content,) = spec
        assert isinstance(content, bytes)
        return ValueState(content)

    def step(
        self, state: ValueState, _cells: Cells, event: Event
    ) -> tuple[ValueState, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "get"):
                return state, (Answer(caller, (state.version, state.content)),)
            case Ask(caller, "set", (bytes(content),)):
                return _write(state, caller, content)
            case Ask(caller, "read", (int(start), int(stop))):
                return state, (Answer(caller, state.content[start:stop]),)
            case Ask(caller, "write", (int(start), bytes(part))):
                stop = start + len(part)
                return _write(state, caller, state.content[:start] + part + state.content[stop:])
            case Ask(caller, "swap", (int(version), bytes(content))):
                is_done = version == state.version
                after = ValueState(content, version + 1) if is_done else state
                return after, (Answer(caller, (is_done, after.version, after.content)),)
            case Ask():
                raise AssertionError(f"a value was asked for what it does not know: {event}")
        # Nobody waits for a value, and nobody holds it.
        return state, ()


def _write(
    state: ValueState, caller: Caller, content: bytes
) -> tuple[ValueState, tuple[Answer, ...]]:
    after = ValueState(content, state.version + 1)
    return after, (Answer(caller, after.version),)
