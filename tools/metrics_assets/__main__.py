"""Writes all files; see the package."""

from metrics_assets.files import FILES

for path, make in FILES.items():
    path.write_text(make(), "utf-8")
    print(path)
