"""Plugins that come with QTasks; they use what any plugin can use."""
