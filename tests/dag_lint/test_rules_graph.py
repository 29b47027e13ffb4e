"""Rules on the task graph."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.dag_lint.helpers import SDK, check, lint

from dag_lint.cron import PRESETS
from dag_lint.rules.graph import TRIGGER_RULES

OPS = SDK + (
    "from airflow.providers.standard.operators.empty import EmptyOperator\n"
    "from airflow.providers.standard.operators.bash import BashOperator\n"
)


def sample(body: str) -> str:
    import textwrap

    return OPS + textwrap.dedent(body)


@pytest.mark.covers("L-05")
def test_no_task_stands_alone() -> None:
    check(
        "L-05",
        sample("""\
        with DAG("a"):
            a = EmptyOperator(task_id="a")  # !
            b = EmptyOperator(task_id="b")  # !
        with DAG("b"):
            a = EmptyOperator(task_id="a")
            b = EmptyOperator(task_id="b")
            c = EmptyOperator(task_id="c")  # !
            a >> b
        with DAG("c"):
            EmptyOperator(task_id="only")
        """),
        sample("""\
        with DAG("a"):
            a = EmptyOperator(task_id="a")
            b = EmptyOperator(task_id="b")
            a.set_downstream(b)
        with DAG("b"):
            a, b, c = [EmptyOperator(task_id=f"t{i}") for i in range(3)]
            chain(a, [b, c])
        with DAG("c"):
            first = EmptyOperator(task_id="a")
            for name in ["x", "y"]:
                first >> EmptyOperator(task_id=name)
        with DAG("d"):
            for name in ["x", "y"]:
                EmptyOperator(task_id=name)
        with DAG("e"):
            @task
            def f(): return 1
            @task
            def g(x): ...
            g(f())
        with DAG("f"):
            @task_group
            def section():
                EmptyOperator(task_id="in1") >> EmptyOperator(task_id="in2")
            EmptyOperator(task_id="start") >> section() >> EmptyOperator(task_id="end")
        """),
        """\
        from airflow import DAG
        from airflow.operators.dummy_operator import DummyOperator
        from helpers import add_tasks, wire
        dag = DAG("a", schedule_interval=None)
        t1 = DummyOperator(task_id="a", dag=dag)
        t2 = DummyOperator(task_id="b", dag=dag)
        t2.set_upstream([t1])
        other = DAG("b")
        t3 = DummyOperator(task_id="a", dag=other)
        t4 = DummyOperator(task_id="b", dag=other)
        wire(t3, t4)
        third = DAG("c")
        t5 = DummyOperator(task_id="a", dag=third)
        add_tasks(third)
        t6 = DummyOperator(task_id="b", dag=third)
        """,
        sample("""\
        with DAG("a"):
            tasks = {}
            for name in names():
                tasks[name] = EmptyOperator(task_id=name)
            end = EmptyOperator(task_id="end")
            for name in names():
                tasks[name] >> end
        with DAG("b"):
            create = EmptyOperator(task_id="create").as_setup()
            other = EmptyOperator(task_id="other")
            with create as scope:
                EmptyOperator(task_id="use")
                scope.add_task(other)
        with DAG("c"):
            if condition:
                EmptyOperator(task_id="x")
            EmptyOperator(task_id="y")
            EmptyOperator(task_id="z") >> EmptyOperator(task_id="w")  # the line above is found
        """).replace('task_id="y")', 'task_id="y")  # !'),
    )


@pytest.mark.covers("L-33")
def test_branches_return_ids_that_exist() -> None:
    check(
        "L-33",
        sample("""\
        from airflow.providers.standard.operators.python import BranchPythonOperator
        def choose(**context):
            if context["x"]:
                return "missing"  # !
            return ["a", "b"]
        def choose_name():
            target = "a" if flag() else "nowhere"  # !
            return target
        def choose_other():
            return computed()
        with DAG("a"):
            one = BranchPythonOperator(task_id="one", python_callable=choose)
            two = BranchPythonOperator(task_id="two", python_callable=choose_name)
            three = BranchPythonOperator(task_id="three", python_callable=choose_other)
            a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
            one >> two >> three >> [a, b]
        """),
        sample("""\
        with DAG("a"):
            @task.branch
            def pick():
                return "section.inner"
            @task.branch(task_id="again")
            def pick_again():
                return "inner"  # !
            @task.branch
            def pick_group():
                return None if x() else "section"
            with __import__("x"):
                pass
            @task_group
            def section():
                EmptyOperator(task_id="inner")
            pick() >> pick_again() >> pick_group() >> section()
        """),
        sample("""\
        from airflow.providers.standard.operators.python import BranchPythonOperator
        with DAG("a"):
            names = ["x", "y"]
            b = BranchPythonOperator(task_id="b", python_callable=lambda: "task_x" if f() else "task_z")  # !
            for name in names:
                b >> EmptyOperator(task_id=f"task_{name}")
        with DAG("b"):
            b = BranchPythonOperator(task_id="b", python_callable=lambda: "anything")
            for name in read():
                b >> EmptyOperator(task_id=f"task_{name}")
        """),
        sample("""\
        from airflow.providers.standard.operators.datetime import BranchDateTimeOperator
        with DAG("a"):
            b = BranchDateTimeOperator(
                task_id="b",
                follow_task_ids_if_true=["yes"],
                follow_task_ids_if_false=["no"],  # !
            )
            b >> EmptyOperator(task_id="yes")
        """),
    )


@pytest.mark.covers("L-34")
def test_no_list_shift_no_random_no_lambda() -> None:
    check(
        "L-34",
        sample("""\
        with DAG("a"):
            a, b, c, d = (EmptyOperator(task_id=x) for x in "abcd".split())
            e = [EmptyOperator(task_id="e")]
            f = [EmptyOperator(task_id="f")]
            e >> f  # !
            g = EmptyOperator(task_id="g")
            e >> g >> f
            g >> e >> f  # !
            cross_downstream(e, f)
            chain(e, f)
        """),
        sample("""\
        import random
        import numpy as np
        from airflow.providers.standard.operators.python import PythonOperator
        def named(): ...
        with DAG("a", on_failure_callback=lambda context: None):  # !
            PythonOperator(task_id="a", python_callable=lambda: 1)  # !
            PythonOperator(task_id="b", python_callable=named)
            @task
            def pick():
                return random.choice([1, 2])  # !
            @task
            def more():
                return np.random.rand()  # !
            sorted([1], key=lambda x: x)
        """),
        sample("""\
        import random
        with DAG("a"):
            @task
            def pick(seed):
                random.seed(seed)
                return random.choice([1, 2])
        numbers = [1] + [2]
        shifted = 1 >> 2
        """),
        "import random\nprint(random.random())\n",
    )


@pytest.mark.covers("L-35")
def test_a_leaf_hides_no_failure() -> None:
    check(
        "L-35",
        sample("""\
        with DAG("a"):
            work = BashOperator(task_id="work", bash_command="x")
            notify = BashOperator(task_id="notify", bash_command="x", trigger_rule="all_done")  # !
            work >> notify
        with DAG("b"):
            work = BashOperator(task_id="work", bash_command="x")
            notify = BashOperator(task_id="notify", bash_command="x", trigger_rule="all_done").as_teardown()
            work >> notify
        with DAG("c"):
            work = BashOperator(task_id="work", bash_command="x")
            notify = BashOperator(task_id="notify", bash_command="x", trigger_rule="all_done")
            watcher = BashOperator(task_id="watcher", bash_command="exit 1", trigger_rule="one_failed")
            work >> notify
            [work, notify] >> watcher
        with DAG("d"):
            work = BashOperator(task_id="work", bash_command="x")
            clean = BashOperator(task_id="clean", bash_command="x", trigger_rule="all_done")
            end = EmptyOperator(task_id="end")
            work >> clean >> end
            work >> end
        with DAG("e"):
            EmptyOperator(task_id="start") >> EmptyOperator(task_id="end", trigger_rule="all_done")
        """),
        sample("""\
        from airflow.sdk import TriggerRule
        with DAG("a"):
            @task
            def work(): ...
            @task(trigger_rule=TriggerRule.ALL_DONE)
            def tidy(): ...  # !
            work() >> tidy()
        with DAG("b"):
            @task
            def work2(): ...
            @task(trigger_rule="all_done")
            def judge():
                if failed():
                    raise RuntimeError("a task failed")
            work2() >> judge()
        with DAG("c"):
            @task
            def work3(): ...
            @teardown
            def tidy3(): ...
            work3() >> tidy3()
        with DAG("d"):
            @task
            def work4(): ...
            @task(trigger_rule=computed())
            def tidy4(): ...
            work4() >> tidy4()
        """).replace(
            "@task(trigger_rule=TriggerRule.ALL_DONE)\n", "@task(trigger_rule=TriggerRule.ALL_DONE)\n"
        ),
    )


@pytest.mark.covers("L-39")
def test_trigger_rules_exist() -> None:
    check(
        "L-39",
        sample("""\
        from airflow.sdk import TriggerRule
        from airflow.utils.trigger_rule import TriggerRule as Old
        from settings import RULE
        with DAG("a"):
            EmptyOperator(task_id="a", trigger_rule="none_failed_or_skipped")  # !
            EmptyOperator(task_id="b", trigger_rule="none_failed_min_one_success")
            EmptyOperator(task_id="c", trigger_rule=TriggerRule.ALL_DONE)
            EmptyOperator(task_id="d", trigger_rule=Old.DUMMY)  # !
            EmptyOperator(task_id="e", trigger_rule="al_done")  # !
            EmptyOperator(task_id="f", trigger_rule=RULE)
            @task(trigger_rule="none_failed_or_skipped")  # !
            def g(): ...
            g()
        """),
        sample("""\
        with DAG("a", fail_fast=True):
            EmptyOperator(task_id="a", trigger_rule="all_done")  # !
            EmptyOperator(task_id="b", trigger_rule="all_success")
        with DAG("b", fail_fast=False):
            EmptyOperator(task_id="a", trigger_rule="all_done")
        """),
        sample(
            "\n".join(f'EmptyOperator(task_id="x", trigger_rule="{name}")' for name in sorted(TRIGGER_RULES))
        ),
    )


def test_there_are_thirteen_trigger_rules() -> None:
    assert len(TRIGGER_RULES) == 13


@pytest.mark.covers("L-36")
def test_a_dag_file_can_be_imported() -> None:
    check(
        "L-36",
        sample("""\
        with DAG("a"):
            a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
            a >> b >> a  # !
        with DAG("b"):
            a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
            a >> b
        """),
        'print "python 2"  # !\n',
        "def f(:  # !\n    pass\n",
        sample("""\
        from .helpers import x  # !
        from . import y  # !
        with DAG("a"):
            @task
            def f():
                from .late import z
        """),
        "from . import helpers\nfrom .x import y\n",
        sample("""\
        with DAG("a"):
            previous = None
            for name in ["x", "y", "z"]:
                current = EmptyOperator(task_id=name)
                if previous:
                    previous >> current
                previous = current
        """),
    )


@pytest.mark.covers("L-36")
@pytest.mark.parametrize(
    "text",
    [
        "61 * * * *",
        "* * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 * foo *",
        "*/0 * * * *",
        "0 0 1-32 * *",
        "0,61 * * * *",
        "0 0 * * monday",
        "* * * * * 61",
        "@dayly",
        "every day",
        "",
    ],
)
def test_a_schedule_that_airflow_refuses(text: str) -> None:
    (finding,) = lint(SDK + f"DAG('a', schedule={text!r})\n", "L-36")
    assert finding.message.startswith(f"schedule {text!r} fails to import: ")


@pytest.mark.parametrize(
    "text",
    [
        *sorted(PRESETS),
        "*/15 22-3 1,15 JAN-mar sun",
        "0 0 L * ?",
        "0 0 * * fri#2",
        "* * * * * 30",
        "0 0 * * 7",
        "59-0/2 * * * *",
        "0 0 1 1 * 0 2030",
        "*/61 * * * *",
        "0 0 23-00 * *",
        "{{ cookiecutter.schedule }}",
        "00 08 * * 1-5",
    ],
)
def test_a_schedule_that_airflow_takes_or_nobody_can_tell(text: str) -> None:
    assert not lint(SDK + f"DAG('a', schedule={text!r})\n", "L-36")


@pytest.mark.covers("L-36")
def test_ids_are_keys() -> None:
    check(
        "L-36",
        sample(f"""\
        NAME = "d e"
        DAG("b c", schedule=None)  # !
        DAG(dag_id=NAME)  # !
        DAG("{"x" * 251}")  # !
        DAG("{"x" * 250}")
        DAG("a.b-c_1é")
        with DAG("a"):
            EmptyOperator(task_id="load/sales")  # !
            EmptyOperator(task_id="load.sales-1")
            @task(task_id="load sales")  # !
            def load(): ...
            load()
        """),
        sample("""\
        import pytest
        from our import MyOperator, make
        DAG("{{ cookiecutter.name }}")
        DAG(f"a b {x}", schedule=f"61 {x} * * *")
        DAG(make("b c"), schedule=make("61 * * * *"))
        for name in ["a b"]:
            DAG(f"load_{name}")
        with pytest.raises(ValueError):
            DAG("b c")
        try:
            DAG("b c", schedule="61 * * * *")
        except ValueError:
            pass
        with DAG("a"):
            MyOperator(task_id="load sales")
        """),
    )


def test_a_cycle_has_the_same_text_in_every_process() -> None:
    text = sample("""\
    with DAG("a"):
        t1, t2 = EmptyOperator(task_id="t1"), EmptyOperator(task_id="t2")
        t3, t4 = EmptyOperator(task_id="t3"), EmptyOperator(task_id="t4")
        t1 >> [t2, t3, t4] >> t1
    """)
    outputs = {
        subprocess.run(
            [sys.executable, "-m", "dag_lint", "--isolated", "--select", "L-36", "-"],
            input=text, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(6)
    }  # fmt: skip
    (only,) = outputs
    assert "has a cycle: t1 >> t2 >> t1" in only


@pytest.mark.covers("L-18")
def test_ids_are_unique_in_a_file() -> None:
    check(
        "L-18",
        sample("""\
        with DAG("a"):
            EmptyOperator(task_id="x")
            EmptyOperator(task_id="x")  # !
        with DAG("a"):  # !
            pass
        with DAG("b"):
            EmptyOperator(task_id="x")
        """),
        sample("""\
        with DAG("a"):
            @task
            def f(): ...
            f()
            f()
            if flag:
                EmptyOperator(task_id="x")
            else:
                EmptyOperator(task_id="x")
            @task_group
            def one():
                EmptyOperator(task_id="x")
            @task_group
            def two():
                EmptyOperator(task_id="x")
            one() >> two()
            for name in ["a", "b"]:
                EmptyOperator(task_id=f"load_{name}")
        for name in ["p", "q"]:
            with DAG(f"dag_{name}"):
                EmptyOperator(task_id="x")
        if flag:
            DAG("z")
        else:
            DAG("z")
        """),
        sample("""\
        with DAG("a"):
            for name in ["a", "b"]:
                EmptyOperator(task_id="same")  # !
        """),
    )


def test_the_message_of_a_branch_names_the_prefixed_id() -> None:
    (finding,) = lint(
        sample("""\
        with DAG("a"):
            @task.branch
            def pick():
                return "inner"
            @task_group
            def section():
                EmptyOperator(task_id="inner")
            pick() >> section()
        """),
        "L-33",
    )
    assert "'section.inner'" in finding.message
