"""Every address. All need a login but those marked with `login_not_required`."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from slaportal import views, views_notices

urlpatterns = [
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", login_not_required(LogoutView.as_view()), name="logout"),
    path("numbers/", views.numbers, name="numbers"),
    path("notices/", views_notices.notices, name="notices"),
    path("notices/read/", views_notices.read_all, name="notices_read"),
    path("notices/<int:pk>/", views_notices.notice, name="notice"),
    path("notices/settings/", views_notices.own_settings, name="notice_settings"),
    path("notices/settings/test/", views_notices.test_own_chat, name="notice_test"),
    path("notices/settings/teams/<int:pk>/", views_notices.team_settings, name="notice_settings_team"),
    path("notices/settings/teams/<int:pk>/test/", views_notices.test_team_chat, name="notice_test_team"),
    path("healthz", views.health, name="health"),
    path("admin/", admin.site.urls),
    path("", include("agreements.urls")),
    path("", include("leads.urls")),
    path("", include("reports.urls")),
]
