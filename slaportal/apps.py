"""Application configuration: loads the system checks."""

from django.apps import AppConfig


class SlaportalConfig(AppConfig):
    name = "slaportal"
    verbose_name = "People and set-up"

    def ready(self) -> None:
        from slaportal import checks  # noqa: F401
