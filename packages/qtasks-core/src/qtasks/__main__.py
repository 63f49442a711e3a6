"""``python -m qtasks``."""

from qtasks.cli import main

if __name__ == "__main__":
    main()
