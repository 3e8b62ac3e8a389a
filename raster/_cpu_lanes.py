"""What the CPU kernels (numba) are made with: how they are compiled and run, and eight pixels of a row moved at once.

A band's rows are short, and a loop over eight pixels is too short for LLVM to make vectors of; so these two are
said in LLVM's own words. An index past an array's end is not looked for, as nowhere in compiled code.
"""

import hashlib
import platform
from pathlib import Path
from typing import Any

import numpy as np
from numba import extending, types
from numba.core.cgutils import get_or_insert_function, ir

from raster.compiling import kernel

intrinsic: Any = extending.intrinsic  # its type leaves one argument too many to the caller

#: Pixels of a row that move together.
LANES = 8
#: ``contract`` allows fused multiply-adds, ``reassoc`` sums in lanes. None lets LLVM forget that there are NaNs.
CONTRACT = {"contract", "nsz"}
SUMS = {"contract", "nsz", "reassoc", "arcp"}


def _version() -> str:
    """Of all kernels together: numba's cache looks at a function's own file, not at those it calls."""
    texts = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("_cpu_*.py"))]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]


_VERSION = _version()


def compiled(makes_arrays=False, **options):
    """Compiles as ``raster.compiling.kernel`` does, under a name that changes with any of these files.

    Unless it ``makes_arrays``, a function counts no references to those it is given: that took as long as a tile.
    """
    options["_nrt"] = makes_arrays

    def decorate(function):
        function.__qualname__ += "_" + _VERSION  # the name of its file in the cache
        return kernel(**options)(function)

    return decorate


def _lanes(context, builder, kind, array, place, of):
    """Pointer to eight elements from ``place`` on."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), ir.VectorType(of, LANES).as_pointer())


@intrinsic
def copy8(typing, to, i, source, j):
    """``to[i : i + 8] = source[j : j + 8]``, of arrays in one dimension, of 32 bits."""

    def generate(context, builder, signature, args):
        kinds, bits = signature.args, ir.IntType(32)
        read = builder.load(_lanes(context, builder, kinds[2], args[2], args[3], bits), align=4)
        builder.store(read, _lanes(context, builder, kinds[0], args[0], args[1], bits), align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, source, types.intp), generate


@intrinsic
def ramp8(typing, to, i, start, step):
    """``to[i + l] = start + l * step`` for l in 0..7, float32."""

    def generate(context, builder, signature, args):
        real, number = ir.FloatType(), ir.IntType(32)
        lanes = ir.Constant(ir.VectorType(real, LANES), [float(lane) for lane in range(LANES)])

        def spread(value):
            one = builder.insert_element(ir.Constant(lanes.type, ir.Undefined), value, ir.Constant(number, 0))
            where = ir.Constant(ir.VectorType(number, LANES), [0] * LANES)
            return builder.shuffle_vector(one, one, where)

        ramp = builder.fadd(spread(args[2]), builder.fmul(spread(args[3]), lanes))
        builder.store(ramp, _lanes(context, builder, signature.args[0], args[0], args[1], real), align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, types.float32, types.float32), generate


#: Bits of an x86's MXCSR: results that would be denormal are 0, and so are operands that are.
_FLUSH_TO_ZERO, _DENORMALS_ARE_ZERO = 1 << 15, 1 << 6
_HAS_MXCSR = platform.machine().lower() in {"x86_64", "amd64"}


@intrinsic
def _mxcsr(typing, word, writes):
    """The thread's MXCSR as it was; ``word`` is put in its place if it ``writes``."""

    def generate(context, builder, signature, args):
        number = ir.IntType(32)
        slot = builder.alloca(number)
        pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type])
        store = get_or_insert_function(builder.module, kind, "llvm.x86.sse.stmxcsr")
        load = get_or_insert_function(builder.module, kind, "llvm.x86.sse.ldmxcsr")
        builder.call(store, [pointer])
        before = builder.load(slot)
        with builder.if_then(args[1]):
            builder.store(args[0], slot)
            builder.call(load, [pointer])
        return before

    return types.uint32(types.uint32, types.boolean), generate


if _HAS_MXCSR:

    @compiled()
    def flush_denormals():
        """Has this thread take denormal numbers for 0, and gives what ``restore_denormals`` wants.

        An Intel processor takes some hundred times as long for an operation that meets one: where strokes cover each
        other the gradient was four times slower for it. Others do not mind.
        """
        before = _mxcsr(np.uint32(0), False)
        _mxcsr(np.uint32(before | _FLUSH_TO_ZERO | _DENORMALS_ARE_ZERO), True)
        return before

    @compiled()
    def restore_denormals(before):
        """Puts back what ``flush_denormals`` found."""
        _mxcsr(np.uint32(before), True)

else:

    def flush_denormals():
        """Nothing: no other processor is known to be slow with them."""
        return 0

    def restore_denormals(before):
        """Nothing."""
