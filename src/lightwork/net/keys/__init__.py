"""Who speaks: keys of the wire, the handshake, and signatures of requests and answers.

Knows bytes and small messages, never a socket and never a job. The protocol is "lightwork/1";
docs/security.md says what it is good for and what not.

    authkey ── HKDF ──┬─ payload key       signs pickles (codec/signing.py); not of this room
                      └─ transport root ── HKDF "role/name" ── transport key of one holder
                                                                  │  handshake.py, once
                                                                  ▼
                                      two keys of a session, one for each direction
                                                                  │  session.py, every message
                                                                  ▼
                                      request and answer, signed in the shape of RFC 9421

Invariants:

- No secret crosses the wire, and none is stored: a server derives what it needs from the id
  of the key.
- The server proves itself first, to a nonce of the client's; a proof of one side is none of the
  other's, of another session, another server's cookie or another certificate.
- Before a client has proved itself the server keeps nothing about it.
- A signature is verified before anything else is believed, or changed.
- Whoever is refused learns nothing but that: one error, one text (unauthorized.py).

Read in this order: roles.py, root.py, keyring.py, handshake.py, session.py.
"""
