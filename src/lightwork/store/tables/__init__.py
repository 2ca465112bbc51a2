"""Tables: every one of a store, a file per noun, with the types and the clock that they share.

Importing the package makes `metadata` complete.
"""

from lightwork.store.tables import (
    dependencies as dependencies,
)
from lightwork.store.tables import (
    jobs as jobs,
)
from lightwork.store.tables import (
    limits as limits,
)
from lightwork.store.tables import (
    primitives as primitives,
)
from lightwork.store.tables import (
    queues as queues,
)
from lightwork.store.tables import (
    rollups as rollups,
)
from lightwork.store.tables import (
    schedules as schedules,
)
from lightwork.store.tables import (
    settings as settings,
)
from lightwork.store.tables import (
    workers as workers,
)
from lightwork.store.tables.types import metadata as metadata
