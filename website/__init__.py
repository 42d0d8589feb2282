"""The documentation as a site: `make docs` writes it to site/, to be read with or without a server.

The pages are README.md and docs/*.md as they are, the student versions of the notebooks, and what
the docstrings say of the interface. `pages` puts them together as Markdown that any generator of
the MkDocs family reads; Zensical makes the site of it (`zensical.toml`).
"""
