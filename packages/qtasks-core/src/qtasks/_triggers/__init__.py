"""The trigger machinery: registrations are compiled into tables, tables are emitted."""
