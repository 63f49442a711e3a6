"""State: what the steps of one process have to tell each other, kept in the app's storage."""
