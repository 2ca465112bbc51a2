"""Spawn fds: the child's side of spawn_args.py: descriptors that came with this process."""

# By position, as spawn_args.py counted them. Filled once, before anything is loaded.
received: list[int] = []


class InheritedFd:
    """Stands for a descriptor while an object of multiprocessing travels to a child."""

    def __init__(self, position: int) -> None:
        self._position = position

    def detach(self) -> int:
        """Return the descriptor here; the object that asks owns it from now on."""
        return received[self._position]
