"""Half open: python half_open.py URL, in a network namespace of its own: its line goes dead.

The server is reached by its unix socket, from a proxy inside of the namespace, so that the store
speaks TCP. While a call waits for the server the only interface goes down: no byte arrives
any more, and nobody is told. Prints how the call has ended, and after how many seconds.
"""

import socket
import subprocess
import sys
import threading
import time

from sqlalchemy import NullPool, create_engine, make_url, text

from lightwork.errors import StoreUnavailable
from lightwork.store.mariadb import database as mariadb
from lightwork.store.sqlstore import SqlStore
from store.proxy import proxy
from store.steps import submitted
from waiting import wait_until

# Of PostgreSQL the URL says them.
SHORT = {"keepalives_idle": "1", "keepalives_count": "2", "tcp_user_timeout": "3000"}
mariadb.LINE.update({socket.TCP_KEEPIDLE: 1, socket.TCP_KEEPCNT: 2, socket.TCP_USER_TIMEOUT: 3000})


def set_interface(state: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


def main() -> None:
    url = sys.argv[1]
    set_interface("up")
    ended: list[tuple[str, float]] = []

    def cancel(store: SqlStore) -> None:
        began = time.monotonic()
        try:
            store.cancel([job_id])
        except StoreUnavailable as error:
            ended.append((str(error), time.monotonic() - began))

    with proxy(url) as between:
        through = make_url(between.url).update_query_dict({"connect_timeout": "2"})
        if through.get_backend_name() == "postgresql":
            through = through.update_query_dict(SHORT)
        store = SqlStore(through.render_as_string(hide_password=False))
        job_id = submitted(store)
        with create_engine(url, poolclass=NullPool).begin() as holder:
            holder.execute(text("SELECT * FROM ready FOR UPDATE"))
            thread = threading.Thread(target=cancel, args=[store], daemon=True)
            thread.start()
            # In the server by then, and waiting for the row; else it waits for the line all the same.
            time.sleep(1.0)
            set_interface("down")
            wait_until(lambda: ended, "the call to end", within=60)
    print(ended)


if __name__ == "__main__":
    main()
