"""Every order in which somebody between can mix the messages of handshakes.

Alice and Bob know the key; Mallory sits between, knows its id, and has a key of another authkey.
Mallory may send a server or a client anything that can be put together from what was ever
said: any key id with any nonce, any cookie with any proof. Walked is every such run with three
challenges of the server's; what a side refuses changes nothing, so only what it accepts goes on.

In each state: who accepts a challenge has got one that the server has made for that very hello;
a session is opened once, and only if Alice or Bob has just agreed to it, with the same keys.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from lightwork.errors import AuthError
from lightwork.net.keys.handshake import Challenge, ClientHandshake, Hello, Proof, ServerHandshakes
from lightwork.net.keys.keyring import Keyring, derive
from lightwork.net.keys.session import ClientSession, ServerSession
from net.keys.pairs import AUTHKEY, OTHER, WEB1, Chance, Clock

CHALLENGES: Final = 3
Act = tuple[str, str, str]


def no_cookies_or_proofs() -> list[str]:
    # What Mallory can make up.
    return ["AAAA"]


@dataclass
class World:
    """All that has been said and done in one run."""

    server: ServerHandshakes
    clients: dict[str, ClientHandshake]
    cookies: list[str] = field(default_factory=no_cookies_or_proofs)
    proofs: list[str] = field(default_factory=no_cookies_or_proofs)
    # What the server has made, by the hello: the ground truth.
    made: dict[Challenge, Hello] = field(default_factory=dict)
    agreed: dict[str, ClientSession] = field(default_factory=dict)
    opened: list[ServerSession] = field(default_factory=list)

    def acts(self) -> Iterator[Act]:
        """Yield everything that Mallory can send now."""
        if len(self.made) < CHALLENGES:
            hellos = [client.hello() for client in self.clients.values()]
            for key_id in {hello.key_id for hello in hellos}:
                yield from (("hello", key_id, hello.nonce) for hello in hellos)
        pairs = list(product(self.cookies, self.proofs))
        for name in self.clients.keys() - self.agreed.keys():
            yield from ((name, cookie, proof) for cookie, proof in pairs)
        yield from (("proof", cookie, proof) for cookie, proof in pairs)

    def do(self, act: Act) -> bool:
        """Send it; return whether it was accepted."""
        to, first, second = act
        if to == "hello":
            hello = Hello(first, second)
            challenge = self.server.challenge(hello)
            assert challenge is not None
            self.made[challenge] = hello
            self.cookies.append(challenge.session)
            self.proofs.append(challenge.proof)
            return True
        if to == "proof":
            opened = self.server.open(Proof(first, second))
            if opened is not None:
                self.opened.append(opened)
            return opened is not None
        try:
            proof = self.clients[to].answer(Challenge(first, second))
        except AuthError:
            return False
        self.proofs.append(proof.proof)
        self.agreed[to] = self.clients[to].session()
        assert self.made.get(Challenge(first, second)) == self.clients[to].hello()
        return True

    def check(self) -> None:
        """Both sides of every session know the key, and have just said so."""
        honest = {agreed.id: agreed for name, agreed in self.agreed.items() if name != "mallory"}
        assert "mallory" not in self.agreed
        assert all(count == 1 for count in Counter(session.id for session in self.opened).values())
        for session in self.opened:
            assert honest[session.id]._keys == session._keys


def world_after(acts: tuple[Act, ...]) -> World:
    """Return the world of a run; chance is the same in every run."""
    foreign = derive(OTHER, "submit", "web1")
    server = ServerHandshakes(Keyring([AUTHKEY]), now=Clock(), chance=Chance(1))
    keys = {"alice": WEB1, "bob": WEB1, "mallory": foreign}
    clients = {
        name: ClientHandshake(key, chance=Chance(seed))
        for seed, (name, key) in enumerate(keys.items(), start=2)
    }
    world = World(server, clients)
    for act in acts:
        assert world.do(act)
    return world


def test_no_order_of_messages_opens_a_session_that_not_both_sides_agreed_to() -> None:
    # Acts that do not touch each other come in any order; what was said is what counts.
    todo: list[tuple[Act, ...]] = [()]
    seen = {frozenset[Act]()}
    ends = Counter[tuple[int, int]]()
    while todo:
        run = todo.pop()
        world = world_after(run)
        world.check()
        ends[len(world.agreed), len(world.opened)] += 1
        for act in list(world.acts()):
            if world.do(act):
                longer = (*run, act)
                world = world_after(run)
                if key(longer) not in seen:
                    seen.add(key(longer))
                    todo.append(longer)

    # Both may agree, and both open; whoever agrees need not be let in.
    assert {(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)} == {*ends}
    assert sum(ends.values()) > 300


def key(run: tuple[Act, ...]) -> frozenset[Act]:
    # A repeated hello is another act: its cookie has another nonce, so count it.
    counted = Counter[Act]()
    found = set()
    for to, first, second in run:
        counted[to, first, second] += 1
        found.add((f"{to} {counted[to, first, second]}", first, second))
    return frozenset(found)
