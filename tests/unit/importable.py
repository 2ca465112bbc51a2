"""Tasks of a module that another process can import too."""

from lightwork.tasks.task import task


def plain(n: int) -> int:
    return n + 1


@task(retries=2)
def declared(n: int) -> int:
    return n * 2


class Shop:
    @staticmethod
    @task
    def sell(n: int) -> int:
        return n - 1
