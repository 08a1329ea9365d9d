"""Addresses of this room."""

from django.urls import path

from reports import views, views_export, views_handover, views_home, views_plans, views_reviews, views_seals

urlpatterns = [
    path("", views_home.home, name="home"),
    path("scorecards/", views.scorecards, name="scorecards"),
    path("scorecards/<int:pk>/", views.choose_period, name="choose_period"),
    path("scorecards/<int:pk>/<str:key>/", views.scorecard, name="scorecard"),
    path("scorecards/<int:pk>/<str:key>/compute", views.compute_now, name="compute_scorecard"),
    path("scorecards/<int:pk>/<str:key>/compare/", views.compare, name="compare_scorecards"),
    path("scorecards/<int:pk>/<str:key>/figures.<str:form>", views_export.export_scorecard, name="export_scorecard"),
    path("scorecards/<int:pk>/<str:key>/cross/", views.cross, name="cross"),
    path("scorecards/<int:pk>/<str:key>/cross.<str:form>", views_export.export_cross, name="export_cross"),
    path("scorecards/<int:pk>/<str:key>/pdf", views.scorecard_pdf, name="scorecard_pdf"),
    path("scorecards/<int:pk>/<str:key>/seals/", views_seals.seals, name="seals"),
    path("scorecards/<int:pk>/<str:key>/seals/restate", views_seals.restate, name="restate_scorecard"),
    path("scorecards/<int:pk>/<str:key>/seals/<int:number>/", views_seals.seal, name="seal"),
    path(
        "scorecards/<int:pk>/<str:key>/seals/<int:number>/handoffs/",
        views_seals.sealed_handoffs,
        name="sealed_handoffs",
    ),
    path(
        "scorecards/<int:pk>/<str:key>/seals/<int:number>/handoffs.<str:form>",
        views_export.export_sealed,
        name="export_sealed",
    ),
    path(
        "scorecards/<int:pk>/<str:key>/seals/<int:number>/changes/",
        views_seals.sealed_changes,
        name="sealed_changes",
    ),
    path("handover/", views_handover.handover, name="handover"),
    path("handover/<int:pk>/<str:key>/", views_handover.handover, name="handover_month"),
    path("reviews/", views_reviews.reviews, name="reviews"),
    path("reviews/call/", views_reviews.call, name="call_review"),
    path("reviews/<int:pk>/", views_reviews.review, name="review"),
    path("reviews/<int:pk>/move", views_reviews.move, name="move_review"),
    path("reviews/<int:pk>/cancel", views_reviews.cancel, name="cancel_review"),
    path("reviews/<int:pk>/hold", views_reviews.hold, name="hold_review"),
    path("reviews/<int:pk>/decide", views_reviews.decide, name="decide_in_review"),
    path("reviews/<int:pk>/close", views_reviews.close, name="close_review"),
    path("reviews/decisions/<int:pk>/mark", views_reviews.mark, name="mark_decision"),
    path("reviews/decisions/<int:pk>/draft", views_reviews.draft, name="draft_decision"),
    path("recovery-plans/", views_plans.recovery_plans, name="recovery_plans"),
    path("recovery-plans/<int:pk>/", views_plans.recovery_plan, name="recovery_plan"),
    path("recovery-plans/<int:pk>/write", views_plans.write_plan, name="write_plan"),
    path("recovery-plans/<int:pk>/owner", views_plans.hand_on_plan, name="hand_on_plan"),
    path("recovery-plans/<int:pk>/actions", views_plans.add_plan_action, name="add_plan_action"),
    path(
        "recovery-plans/<int:pk>/actions/<int:action>/done", views_plans.finish_plan_action, name="finish_plan_action"
    ),
    path("recovery-plans/<int:pk>/actions/<int:action>/drop", views_plans.drop_plan_action, name="drop_plan_action"),
    path("recovery-plans/<int:pk>/check-in", views_plans.check_in_plan, name="check_in_plan"),
    path("recovery-plans/<int:pk>/close", views_plans.close_plan, name="close_plan"),
]
