"""Eight float32 in a register as a type of numba's: what the loops over a tile's rows are written with.

LLVM makes vectors of a loop over a batch by itself, but keeps in memory whatever changes from one segment to the next.
Here the eight pixels of a row are one value: ``+``, ``-``, ``*`` and comparisons work on it lane by lane, and a tile's
distances stay in registers while its segments go by. Products and sums may be fused, as under ``CONTRACT``.
"""

import operator

import numpy as np
from numba import njit, types
from numba.core.cgutils import get_or_insert_function, ir
from numba.extending import lower_builtin, models, register_model, type_callable

from raster._cpu_lanes import LANES, intrinsic


class _Reals(types.Type):
    """Eight float32."""


class _Tests(types.Type):
    """Eight answers of a comparison."""


REALS, TESTS = _Reals("eight_reals"), _Tests("eight_tests")
_REAL, _BIT, _BYTE, _NUMBER = ir.FloatType(), ir.IntType(1), ir.IntType(8), ir.IntType(32)
_FLAGS = ("contract", "nsz")


@register_model(_Reals)
class _RealsModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(_REAL, LANES))


@register_model(_Tests)
class _TestsModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(_BIT, LANES))


def _operator(symbol, result, generate, of=REALS):
    """Says what a Python operator does to two vectors."""

    @type_callable(symbol)
    def kind(context):
        return lambda a, b: result if a == of and b == of else None

    @lower_builtin(symbol, of, of)
    def lower(context, builder, signature, args):
        return generate(builder, *args)


_operator(operator.add, REALS, lambda builder, a, b: builder.fadd(a, b, flags=_FLAGS))
_operator(operator.sub, REALS, lambda builder, a, b: builder.fsub(a, b, flags=_FLAGS))
_operator(operator.mul, REALS, lambda builder, a, b: builder.fmul(a, b, flags=_FLAGS))
_operator(operator.lt, TESTS, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_operator(operator.le, TESTS, lambda builder, a, b: builder.fcmp_ordered("<=", a, b))
_operator(operator.or_, TESTS, lambda builder, a, b: builder.or_(a, b), TESTS)
_operator(operator.eq, TESTS, lambda builder, a, b: builder.fcmp_ordered("==", a, b))


def _pointer(context, builder, kind, array, place, of):
    """To eight elements from ``place`` on, in the order of memory, whatever the array's dimensions."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), ir.VectorType(of, LANES).as_pointer())


def _shuffled(builder, vector, lanes):
    where = ir.Constant(ir.VectorType(_NUMBER, len(lanes)), lanes)
    return builder.shuffle_vector(vector, vector, where)


def _all(builder, value):
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined), value, _NUMBER(0))
    return _shuffled(builder, one, [0] * LANES)


@intrinsic
def all8(typing, value):
    """Eight times the same number."""

    def generate(context, builder, signature, args):
        return _all(builder, args[0])

    return REALS(types.float32), generate


@intrinsic
def load8(typing, source, i):
    """Eight elements of a contiguous array, from its element ``i`` on."""

    def generate(context, builder, signature, args):
        return builder.load(_pointer(context, builder, signature.args[0], args[0], args[1], _REAL), align=4)

    return REALS(source, types.intp), generate


@intrinsic
def store8(typing, to, i, value):
    """Puts eight numbers into a contiguous array, from its element ``i`` on."""

    def generate(context, builder, signature, args):
        builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], args[1], _REAL), align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, REALS), generate


@intrinsic
def pick8(typing, test, a, b):
    """``a`` where the test holds, ``b`` elsewhere."""

    def generate(context, builder, signature, args):
        return builder.select(*args)

    return REALS(TESTS, REALS, REALS), generate


@intrinsic
def root8(typing, value):
    """Square roots."""

    def generate(context, builder, signature, args):
        kind = args[0].type
        root = get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), f"llvm.sqrt.v{LANES}f32")
        return builder.call(root, args)

    return REALS(REALS), generate


@intrinsic
def bits8(typing, test):
    """The answers as the bits of a number, the first the lowest."""

    def generate(context, builder, signature, args):
        return builder.zext(builder.bitcast(args[0], _BYTE), ir.IntType(64))

    return types.int64(TESTS), generate


def _halved(builder, value, join):
    for half in (4, 2, 1):
        low, high = _shuffled(builder, value, list(range(half))), _shuffled(builder, value, list(range(half, 2 * half)))
        value = join(low, high)
    return builder.extract_element(value, _NUMBER(0))


@intrinsic
def add_totals(typing, to, i, a, b, c, d):
    """Adds the sums of four vectors to four float64 that lie from ``i`` on."""

    def generate(context, builder, signature, args):
        def add(x, y):
            return builder.fadd(x, y, flags=_FLAGS)

        def pairs(x, y):  # [x0 x1 ... x7], [y0 y1 ... y7] to half of each, side by side
            where = [[0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]]
            return add(*(builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_NUMBER, 8), each)) for each in where))

        ab, cd = pairs(*args[2:4]), pairs(*args[4:6])
        low = builder.shuffle_vector(ab, cd, ir.Constant(ir.VectorType(_NUMBER, 8), [0, 1, 8, 9, 4, 5, 12, 13]))
        high = builder.shuffle_vector(ab, cd, ir.Constant(ir.VectorType(_NUMBER, 8), [2, 3, 10, 11, 6, 7, 14, 15]))
        both = add(low, high)
        totals = add(_shuffled(builder, both, [0, 1, 2, 3]), _shuffled(builder, both, [4, 5, 6, 7]))
        four = ir.VectorType(ir.DoubleType(), 4)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), four.as_pointer())
        builder.store(builder.fadd(builder.load(place, align=8), builder.fpext(totals, four)), place, align=8)
        return context.get_dummy_value()

    return types.void(to, types.intp, REALS, REALS, REALS, REALS), generate


@intrinsic
def any8(typing, test):
    """Whether the answer is yes anywhere."""

    def generate(context, builder, signature, args):
        return builder.icmp_unsigned("!=", builder.bitcast(args[0], _BYTE), _BYTE(0))

    return types.boolean(TESTS), generate


@intrinsic
def least8(typing, value):
    """The least of all eight."""

    def generate(context, builder, signature, args):
        return _halved(builder, args[0], lambda a, b: builder.select(builder.fcmp_ordered("<", a, b), a, b))

    return types.float32(REALS), generate


#: For each byte, the numbers of its bits that are set, in order; how many they are.
_SET = np.array([([i for i in range(8) if byte >> i & 1] + [0] * 8)[:8] for byte in range(256)], np.int32).ravel()
_COUNT = np.array([byte.bit_count() for byte in range(256)], np.int64)


@intrinsic
def _add_numbers(typing, to, i, source, j, number):
    """``to[i : i + 8] = source[j : j + 8] + number``, int32."""

    def generate(context, builder, signature, args):
        kinds = signature.args
        read = builder.load(_pointer(context, builder, kinds[2], args[2], args[3], _NUMBER), align=4)
        value = builder.add(read, _all(builder, args[4]))
        builder.store(value, _pointer(context, builder, kinds[0], args[0], args[1], _NUMBER), align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, source, types.intp, types.int32), generate


@njit(inline="always")
def note8(to, i, bits, number):
    """Puts ``number`` plus the places of the bits that are set into ``to``, int32, from ``i`` on; gives where they end.

    Room for eight is written to.
    """
    _add_numbers(to, i, _SET, bits * LANES, np.int32(number))
    return i + _COUNT[bits]
