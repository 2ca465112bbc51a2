"""Cut off: a call that a Ctrl-C ends at one of the points where Python may do so.

Python looks for signals after a call of a C function, at the start of a Python function and where a loop
goes back; never between two other steps, and not when a Python function returns. So what is raised is raised there.
"""

import opcode
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

# Python 3.12 tells of no steps.
CAN_CUT_OFF: Final = sys.version_info[:2] != (3, 12)
_LOOKS: Final = ("CALL", "RESUME", "JUMP_BACKWARD", "PRECALL")


def is_cut_off(call: Callable[[], object], folder: str, number: int) -> bool:
    """Call, raise KeyboardInterrupt at the `number`-th such point in files of a folder; return whether there was one."""
    left = number
    before: tuple[FrameType, str] | None = None

    def trace(frame: FrameType, event: str, _value: Any) -> Any:
        nonlocal left, before
        # A finalizer may belong to a test before this one, and what is raised in it is only told.
        if folder not in frame.f_code.co_filename or frame.f_code.co_name == "__del__":
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            name = opcode.opname[frame.f_code.co_code[frame.f_lasti]]
            is_after = before is not None and before[0] is frame and before[1].startswith(_LOOKS)
            # Python 3.11: a PRECALL that has not called leaves that to the CALL, and looks for nothing.
            if is_after and not (before == (frame, "PRECALL") and name == "CALL"):
                left -= 1
                if not left:
                    sys.settrace(None)
                    before = None
                    raise KeyboardInterrupt
            before = (frame, name)
        elif event == "call":
            before = (frame, "RESUME")
        elif event == "return":
            before = None
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False
