"""On PostgreSQL the search finds parts of words by their trigrams instead of reading every lead.

The index is made beside the work that goes on. Whoever may not make the extension has a search that reads everything.
"""

from django.db import DatabaseError, migrations

NAME = "lead_words"
COLUMNS = ", ".join(f"upper({column}) gin_trgm_ops" for column in ("name", "company", "email"))


def make(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        try:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DatabaseError as refusal:
            print(f"\n    The search reads every lead, because PostgreSQL has no pg_trgm for this user: {refusal}")
            return
        # One that was interrupted stays behind, and is no use to anybody.
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        cursor.execute(f"CREATE INDEX CONCURRENTLY {NAME} ON leads_lead USING gin ({COLUMNS})")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("leads", "0015_clock_owed")]

    operations = [migrations.RunPython(make, drop)]
