"""Addresses of this room."""

from django.urls import path

from leads import views, views_my_month, views_team

urlpatterns = [
    path("team/", views_team.team, name="team"),
    path("team/away", views_team.set_away, name="set_away"),
    path("team/absences/<int:pk>/end", views_team.end_absence, name="end_absence"),
    path("leads/", views.my_leads, name="my_leads"),
    path("leads/counted/", views_my_month.counted, name="counted"),
    path("leads/counted/<str:key>/", views_my_month.counted, name="counted"),
    path("leads/counted/clocks/<int:pk>/ask", views_my_month.ask_not_to_count, name="ask_not_to_count"),
    path("handoffs/", views.handoffs, name="handoffs"),
    path("handoffs/reassign", views_team.reassign, name="reassign"),
    path("handoffs/<int:pk>/", views.handoff, name="handoff"),
    path("handoffs/<int:pk>/no-answer", views.no_answer, name="no_answer"),
    path("handoffs/<int:pk>/attempt", views.log_attempt, name="log_attempt"),
    path("handoffs/<int:pk>/accept", views.accept, name="accept"),
    path("handoffs/<int:pk>/recycle", views.recycle, name="recycle"),
    path("handoffs/<int:pk>/reject", views.reject, name="reject"),
    path("handoffs/<int:pk>/hold", views.hold, name="hold"),
    path("handoffs/<int:pk>/release", views.release, name="release"),
    path("handoffs/<int:pk>/outcome", views.record_outcome, name="record_outcome"),
    path("handoffs/<int:pk>/ask", views.ask_marketing, name="ask_marketing"),
    path("handoffs/<int:pk>/answer", views.answer_question, name="answer_question"),
    path("handoffs/<int:pk>/dispute", views.dispute_decision, name="dispute_decision"),
    path("handoffs/<int:pk>/decide-dispute", views.decide_dispute, name="decide_dispute"),
    path("handoffs/<int:pk>/ask-exclusion", views.ask_exclusion, name="ask_exclusion"),
    path("handoffs/<int:pk>/decide-exclusion", views.decide_exclusion, name="decide_exclusion"),
    path("handoffs/<int:pk>/answer-miss", views.answer_miss, name="answer_miss"),
    path("handoffs/<int:pk>/assign", views.assign, name="assign"),
    path("handoffs/<int:pk>/take", views.take, name="take"),
    path("handoffs/<int:pk>/attempts/<int:fact>/void", views.void_attempt, name="void_attempt"),
    path("handoffs/<int:pk>/dispositions/<int:fact>/void", views.void_disposition, name="void_disposition"),
    path("handoffs/<int:pk>/outcomes/<int:fact>/void", views.void_outcome, name="void_outcome"),
]
