"""Server: offers a store over HTTP/1.1; an extra: `pip install 'lightwork[server]'`."""
