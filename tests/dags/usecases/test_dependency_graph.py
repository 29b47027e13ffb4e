"""The graph of the DAGs."""

from __future__ import annotations

from airflow_usecases.dependency_graph import Edge, downstream, from_response, mermaid, neighbourhood

ANSWER = {
    "nodes": [
        {"id": "dag:load", "label": "load", "type": "dag"},
        {"id": "dag:clean", "label": "clean", "type": "dag"},
        {"id": "dag:mail", "label": "mail", "type": "dag"},
        {"id": "dag:wait", "label": "wait", "type": "dag"},
        {"id": "asset:7", "label": "orders", "type": "asset"},
        {"id": "trigger:clean:mail:start_mail", "label": "start_mail", "type": "trigger"},
        {"id": "sensor:mail:wait:wait_for_mail", "label": "wait_for_mail", "type": "sensor"},
        {"id": "dag:x", "label": "x", "type": "dag"},
        {"id": "dag:y", "label": "y", "type": "dag"},
        {"id": "asset:8", "label": "other", "type": "asset"},
    ],
    "edges": [
        {"source_id": "dag:load", "target_id": "asset:7"},
        {"source_id": "asset:7", "target_id": "dag:clean"},
        {"source_id": "dag:clean", "target_id": "trigger:clean:mail:start_mail"},
        {"source_id": "trigger:clean:mail:start_mail", "target_id": "dag:mail"},
        {"source_id": "dag:mail", "target_id": "sensor:mail:wait:wait_for_mail"},
        {"source_id": "sensor:mail:wait:wait_for_mail", "target_id": "dag:wait"},
        {"source_id": "dag:x", "target_id": "asset:8"},
        {"source_id": "asset:8", "target_id": "dag:y"},
    ],
}
FLOW = [
    Edge("asset:orders", "dag:clean"),
    Edge("dag:clean", "dag:mail"),
    Edge("dag:load", "asset:orders"),
    Edge("dag:mail", "dag:wait"),
]


def test_triggers_and_sensors_are_drawn_through_and_assets_have_names():
    assert from_response(ANSWER) == sorted(
        [*FLOW, Edge("asset:other", "dag:y"), Edge("dag:x", "asset:other")]
    )


def test_the_neighbourhood_is_what_is_connected():
    assert neighbourhood(from_response(ANSWER), "dag:clean") == FLOW
    assert neighbourhood(FLOW, "dag:unknown") == []


def test_downstream_is_what_a_failure_can_reach_even_in_a_circle():
    assert downstream(FLOW, "dag:clean") == ["dag:mail", "dag:wait"]
    circle = [Edge("dag:a", "dag:b"), Edge("dag:b", "dag:a")]
    assert downstream(circle, "dag:a") == ["dag:b"]


def test_the_same_edges_give_the_same_drawing():
    drawn = mermaid(reversed(FLOW[:2]))
    assert drawn == mermaid(FLOW[:2])
    assert drawn.splitlines() == [
        "flowchart LR",
        '  n0[("orders")]',
        '  n1["clean"]',
        '  n2["mail"]',
        "  n0 --> n1",
        "  n1 --> n2",
    ]
