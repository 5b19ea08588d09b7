"""Several processes for one run: each draws a whole step and passes its share of the samples through the networks.

What comes out is put together in every process, so that a method computes its loss, terms within the batch too, of the
whole step, as one process would. Back through a network goes a share's gradient, times the number of processes: the
mean over them is then that of one process, also of parameters that a loss touches without a network in between.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from benchmarks.core.errors import BadInput, MachineFailure
from benchmarks.runs import handover

_JOINED: list[bool] = []  # not empty while a run is that of all processes
_ROWS: list[int] = []  # samples, over all processes, of the pass that is under way


def count() -> int:
    """Processes that share the run under way."""
    return dist.get_world_size() if _JOINED else 1


def network(module: nn.Module) -> nn.Module:
    """The module as one of a class that passes its share of each batch through; inside a pass all is as it was.

    A module that is looked into (by hooks, as `tgt.features` does) passes everything in every process.
    """
    cls = type(module)

    def shared(name: str) -> Callable:
        def ask(self: nn.Module, inputs: Tensor, *more: Any) -> Any:
            rows = len(inputs)
            if _ROWS or not 1 < count() <= rows or _looked_into(self):
                return getattr(cls, name)(self, inputs, *more)
            _ROWS.append(rows)
            try:
                part = getattr(cls, name)(self, _Share.apply(inputs), *more)
            finally:
                _ROWS.clear()
            return _Whole.apply(part, rows)

        return ask

    names = [name for name in ("forward", "encode", "decode") if hasattr(cls, name)]
    module.__class__ = type(cls.__name__, (cls,), {name: shared(name) for name in names})
    for layer in module.modules():
        if type(layer) is nn.Dropout:
            layer.__class__ = _Dropout
    return module


@contextmanager
def undivided() -> Iterator[None]:
    """Each process passes all samples of what is asked of a frozen network here."""
    _ROWS.append(0)
    try:
        yield
    finally:
        _ROWS.clear()


def student(module: nn.Module, device: str) -> nn.Module:
    """A student whose batch-norm sees the whole step. Raises BadInput on the CPU, where torch has no such layer."""
    if count() == 1 or not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in module.modules()):
        return module
    if device == "cpu":
        raise BadInput("a student with batch-norm takes several processes on GPUs alone; on the CPU it takes one")
    return nn.SyncBatchNorm.convert_sync_batchnorm(module)


def average(parameters: Iterable[nn.Parameter]) -> None:
    for parameter in parameters if count() > 1 else ():
        if parameter.grad is not None:
            _reduce(parameter.grad).div_(count())


def _looked_into(module: nn.Module) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in module.modules() if m is not module)


def _mine(rows: int) -> slice:
    bounds = [rows * rank // count() for rank in (dist.get_rank(), dist.get_rank() + 1)]
    return slice(*bounds)


def _reduce(tensor: Tensor, how: Any = dist.ReduceOp.SUM) -> Tensor:
    with _others():
        dist.all_reduce(tensor, how)
    return tensor


@contextmanager
def _others() -> Iterator[None]:
    """What needs the other processes; without them a run has no result, not a failed one."""
    try:
        yield
    except RuntimeError as error:
        raise MachineFailure(f"the other processes of this run are gone ({str(error).splitlines()[0]})") from error


def _together(part: Tensor, rows: int) -> tuple[Tensor, tuple[slice, ...]]:
    """(rows, ...) of all processes' parts, and the place of this one's; one that is shorter ends with zeros."""
    size: list[int] = []
    if part.dim() > 1:
        size = _reduce(torch.tensor(part.shape[1:], device=part.device), dist.ReduceOp.MAX).tolist()
    whole = part.new_zeros(rows, *size)
    place = (_mine(rows), *(slice(length) for length in part.shape[1:]))
    whole[place] = part
    return _reduce(whole), place


class _Share(Function):
    """A batch (B, ...) -> this process's rows of it."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor) -> Tensor:
        ctx.rows = len(whole)
        return whole[_mine(len(whole))].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _together(gradient, ctx.rows)[0] / count()


class _Whole(Function):
    """This process's rows -> all (B, ...)."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, rows: int) -> Tensor:
        whole, ctx.place = _together(part, rows)
        return whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.place] * count(), None


class _Dropout(nn.Dropout):
    """Draws for the whole step and takes its share, where its rows are the batch's."""

    def forward(self, inputs: Tensor) -> Tensor:
        mine = _mine(_ROWS[0]) if _ROWS and self.training else slice(0)
        if len(inputs) != mine.stop - (mine.start or 0):
            return super().forward(inputs)
        return inputs * F.dropout(inputs.new_ones(_ROWS[0], *inputs.shape[1:]), self.p)[mine]


@contextmanager
def launched() -> Iterator[bool]:
    """The processes that a launcher started find each other; whether this is the one that leads.

    Raises:
        BadInput: accelerate is not installed.
    """
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise BadInput("several processes for a run need accelerate: pip install accelerate") from error
    cpu = not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    state = PartialState(cpu=cpu, timeout=timedelta(days=30))  # teachers may train for long while others wait
    try:
        yield state.is_main_process
    finally:
        if not _JOINED:  # else it ended within a run: the others wait for another thing, and the launcher ends them
            if state.is_main_process:
                _told(None)
            state.destroy_process_group()


def _told(call: Any) -> Any:
    """What the process that leads says, in all of them."""
    said = [call]
    with _others():
        dist.broadcast_object_list(said)
    return said[0]


@contextmanager
def together(spec: Any, overrides: Any) -> Iterator[None]:
    """In the process that leads: a run that all make. The others are lost when it ends by an error."""
    if not dist.is_initialized():
        yield
        return
    with handover.prepared(2) as made:
        _told((made, spec, overrides))
        _JOINED.append(True)
        yield
        _JOINED.clear()


def follow(execute: Callable[[Any, Any], Any]) -> int:
    """In another process: make each run that the one that leads makes, and keep nothing of it."""
    torch.set_num_threads(1)
    while (call := _told(None)) is not None:
        made, spec, overrides = call
        handover.taken_over(*made)
        _JOINED.append(True)
        try:
            execute(spec, overrides)
        except (BadInput, MachineFailure):
            return 2  # the one that leads says it
        _JOINED.clear()
    return 0
