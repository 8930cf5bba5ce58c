"""The revisions. One that has been released is never changed: journals in the world went through it."""
