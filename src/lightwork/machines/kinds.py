"""Kinds: every machine by the name of its kind."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from lightwork.machines.barrier import BarrierMachine
from lightwork.machines.condition import ConditionMachine
from lightwork.machines.event import EventMachine
from lightwork.machines.lock import LockMachine
from lightwork.machines.mapping import MappingMachine
from lightwork.machines.queue import QueueMachine
from lightwork.machines.semaphore import SemaphoreMachine
from lightwork.machines.shapes import Machine
from lightwork.machines.value import ValueMachine

# Any: each has states of its own, which hosts keep and hand back without looking into them.
MACHINES: Final[Mapping[str, Machine[Any]]] = MappingProxyType(
    {
        machine.kind: machine
        for machine in (
            LockMachine(),
            SemaphoreMachine(),
            ConditionMachine(),
            EventMachine(),
            BarrierMachine(),
            QueueMachine(),
            ValueMachine(),
            MappingMachine(),
        )
    }
)
