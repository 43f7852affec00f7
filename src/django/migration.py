# Runs in `manage.py shell -c`, after the line `tenure_request = …`. Prints the next migration of an app as SQL, which the project's own
# sqlmigrate writes.
import io
import json

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader


def tenure_not_sql(operations):
    for operation in operations:
        if not operation.reduces_to_sql:
            yield "%s (%s)" % (type(operation).__name__, operation.describe())
        yield from tenure_not_sql(getattr(operation, "database_operations", []))


def tenure_tenant():
    from django_tenants.utils import get_public_schema_name, get_tenant_model, schema_exists

    tenants = get_tenant_model().objects.exclude(schema_name=get_public_schema_name())
    names = tenants.order_by("pk").values_list("schema_name", flat=True)
    return next((name for name in names.iterator() if schema_exists(name)), None)


def tenure_sql(app, name, backwards, tenant):
    def written():
        out = io.StringIO()
        call_command("sqlmigrate", app, name, backwards=backwards, stdout=out, no_color=True)
        return out.getvalue()

    if tenant is None:
        return {"platform": written(), "tenant": None}
    from django_tenants.utils import get_public_schema_name, schema_context

    with schema_context(get_public_schema_name()):
        platform = written()
    with schema_context(tenant):
        return {"platform": platform, "tenant": written()}


def tenure_answer(app, wanted, files):
    files = {tuple(one) for one in files}
    loader = MigrationLoader(connection)
    if app not in loader.migrated_apps:
        return {"problem": "unknown-app", "names": sorted(loader.migrated_apps)}
    leaves = sorted(loader.graph.leaf_nodes(app))
    if len(leaves) > 1:
        return {"problem": "conflict", "names": [name for _, name in leaves]}
    plan = [key for leaf in leaves for key in loader.graph.forwards_plan(leaf)]
    done = files | set(loader.applied_migrations)
    own = [name for label, name in plan if label == app]
    if wanted is None:
        pending = [name for name in own if (app, name) not in done]
        if not pending:
            return {"problem": "nothing", "names": [name for name in own if (app, name) not in files]}
        name = pending[0]
    else:
        found = [name for name in own if name == wanted] or [name for name in own if name.startswith(wanted)]
        if len(found) != 1:
            return {"problem": "unknown-name", "names": found or own}
        name = found[0]
        if (app, name) in files:
            return {"problem": "written", "names": [name]}
    needed = [key for key in loader.graph.forwards_plan((app, name)) if key not in done and key != (app, name)]
    if needed:
        return {"problem": "needs", "names": ["%s.%s" % key for key in needed], "name": name}
    not_sql = list(tenure_not_sql(loader.get_migration(app, name).operations))
    if not_sql:
        return {"problem": "not-sql", "names": not_sql, "name": name}
    has_tenants = "django_tenants" in settings.INSTALLED_APPS
    tenant = tenure_tenant() if has_tenants else None
    if has_tenants and tenant is None:
        return {"problem": "no-tenant", "names": []}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass('django_migrations')"
        )
        table = cursor.fetchone()
    answer = {
        "name": name,
        "forwards": tenure_sql(app, name, False, tenant),
        "schema_of_records": table[0] if table else None,
    }
    try:
        answer["backwards"] = tenure_sql(app, name, True, tenant)
    except Exception as error:
        answer["irreversible"] = str(error) or type(error).__name__
    return answer


print("\ntenure-answer " + json.dumps(tenure_answer(**tenure_request)))
