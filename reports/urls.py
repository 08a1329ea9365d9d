"""Addresses of this room."""

from django.urls import path

from reports import views, views_handover

urlpatterns = [
    path("scorecards/", views.scorecards, name="scorecards"),
    path("scorecards/<int:pk>/", views.choose_period, name="choose_period"),
    path("scorecards/<int:pk>/<str:key>/", views.scorecard, name="scorecard"),
    path("scorecards/<int:pk>/<str:key>/compute", views.compute_now, name="compute_scorecard"),
    path("handover/", views_handover.handover, name="handover"),
    path("handover/<int:pk>/<str:key>/", views_handover.handover, name="handover_month"),
    path("recovery-plans/", views.recovery_plans, name="recovery_plans"),
    path("recovery-plans/<int:pk>/", views.recovery_plan, name="recovery_plan"),
    path("recovery-plans/<int:pk>/write", views.write_plan, name="write_plan"),
]
