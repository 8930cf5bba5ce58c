"""The use cases, and the only place where devices, links and sessions are built. Every front end calls these."""
