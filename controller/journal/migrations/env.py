"""Run by alembic, inside the transaction that `controller.journal.revisions` has begun."""

from alembic import context

# SQLite can take back DDL too, once Python's own handling of transactions is out of the way (`places`).
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
