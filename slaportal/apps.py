"""Application configuration: loads the system checks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SlaportalConfig(AppConfig):
    name = "slaportal"
    verbose_name = _("People and set-up")

    def ready(self) -> None:
        from slaportal import checks  # noqa: F401
