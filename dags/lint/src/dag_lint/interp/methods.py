"""Methods of lists, dicts and texts, and how arguments meet parameters."""

from __future__ import annotations

import ast

from dag_lint.interp.builders import Kwargs
from dag_lint.values import UNKNOWN, Const, DictV, ListV, Value, constant, text_of


def make_dict(args: list[Value], kwargs: Kwargs, *, opened: bool) -> Value:
    """The value of `dict(...)`."""
    made = DictV(open=opened)
    if args:
        if isinstance(args[0], DictV):
            made.items.update(args[0].items)
            made.keys.update(args[0].keys)
            made.open = made.open or args[0].open
        else:
            made.open = True
    made.items.update(kwargs)
    made.keys.update({key: arg.node for key, arg in kwargs.items()})
    return made


def bind_arguments(
    fn: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
    args: list[Value],
    kwargs: Kwargs,
    *,
    open_args: bool,
) -> dict[str, Value]:
    """The names that a call gives to a function."""
    names = [arg.arg for arg in [*fn.args.posonlyargs, *fn.args.args]]
    keyword_names = set(names) | {arg.arg for arg in fn.args.kwonlyargs}
    bound: dict[str, Value] = dict(zip(names, args, strict=False))
    bound.update({key: arg.value for key, arg in kwargs.items() if key in keyword_names})
    if open_args:
        bound = {name: bound.get(name, UNKNOWN) for name in keyword_names}
    if fn.args.vararg:
        bound[fn.args.vararg.arg] = ListV(args[len(names) :], open_args)
    if fn.args.kwarg:
        rest = {key: arg for key, arg in kwargs.items() if key not in keyword_names}
        bound[fn.args.kwarg.arg] = DictV(rest, open_args)
    return bound


def list_method(base: ListV, attr: str, args: list[Value]) -> Value:
    """A method of a list; some change it."""
    if attr == "append" and args:
        base.items.append(args[0])
    elif attr in {"extend", "insert"} and args:
        if isinstance(args[-1], ListV) and attr == "extend":
            base.items.extend(args[-1].items)
            base.open = base.open or args[-1].open
        elif attr == "insert":
            base.items.append(args[-1])
        else:
            base.open = True
    elif attr == "copy":
        return ListV(list(base.items), base.open, base.literal)
    elif attr == "pop":
        return base.items[-1] if base.items and not base.open else UNKNOWN
    return UNKNOWN


def dict_method(base: DictV, attr: str, args: list[Value]) -> Value:
    """A method of a dict; some change it."""
    if attr == "copy":
        return DictV(dict(base.items), base.open, dict(base.keys), dict(base.raw))
    if attr == "update":
        other = args[0] if args else None
        if isinstance(other, DictV):
            base.items.update(other.items)
            base.keys.update(other.keys)
            base.open = base.open or other.open
        else:
            base.open = True
        return UNKNOWN
    if attr == "get" and args and (key := text_of(args[0])) is not None:
        if key in base.items:
            return base.items[key].value
        return UNKNOWN if base.open else (args[1] if len(args) > 1 else Const(None))
    pairs = [(Const(key), arg.value) for key, arg in base.items.items()]
    pairs += [(Const(key), value) for key, value in base.raw.items()] if not base.open else []
    if attr == "items":
        return ListV([ListV([key, value]) for key, value in pairs], base.open)
    if attr == "keys":
        return ListV([key for key, _ in pairs], base.open)
    if attr == "values":
        return ListV([value for _, value in pairs], base.open)
    return UNKNOWN


def text_method(text: str, attr: str, args: list[Value], kwargs: Kwargs) -> Value:
    """A method of a text whose result is known."""
    plain = all(isinstance(arg, Const) for arg in args) and all(
        isinstance(arg.value, Const) for arg in kwargs.values()
    )
    if not plain or attr not in {"lower", "upper", "strip", "replace", "format", "title", "split", "join"}:
        return UNKNOWN
    try:
        found = getattr(text, attr)(
            *map(constant, args), **{key: constant(arg.value) for key, arg in kwargs.items()}
        )
    except (TypeError, ValueError, LookupError, AttributeError):
        return UNKNOWN
    return ListV([Const(item) for item in found]) if isinstance(found, list) else Const(found)
