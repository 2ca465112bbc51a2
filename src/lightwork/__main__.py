"""`python -m lightwork`: the command line, where its script is not on the path."""

from lightwork.cli.main import main

if __name__ == "__main__":
    main()
