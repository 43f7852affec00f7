import os

from psycopg.conninfo import conninfo_to_dict

url = conninfo_to_dict(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url["dbname"],
        "USER": url.get("user", ""),
        "PASSWORD": url.get("password", ""),
        "HOST": url.get("host", ""),
        "PORT": url.get("port", ""),
        # The platform's schema.
        "OPTIONS": {"options": "-c search_path=datalinx_platform,public"},
    }
}
INSTALLED_APPS = ["monitor"]
SECRET_KEY = "for tests only"
USE_TZ = True
