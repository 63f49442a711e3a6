"""What a release takes: versions, tags, changelogs; without nox, so that tests can import it."""
