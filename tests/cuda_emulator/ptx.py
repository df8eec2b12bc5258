"""Translation of PTX, the portable assembly that NVIDIA's compiler generates, to C++ that the emulator runs.

The emulator can also include the CUDA source itself, as a C++ compiler understands it. The translation tests what
NVIDIA's compiler makes of the source: inline assembly, vector loads, and asynchronous copies, which arrive only when
they are waited for. An unknown instruction, or an address without the alignment that the hardware needs, is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

C_TYPES = {
    "pred": "bool",
    "b16": "unsigned short", "u16": "unsigned short", "s16": "short",
    "b32": "unsigned", "u32": "unsigned", "s32": "int", "f32": "float",
    "b64": "Bits", "u64": "Bits", "s64": "long long", "f64": "double",
}  # fmt: skip
WIDER = {"s16": "s32", "u16": "u32", "s32": "s64", "u32": "u64"}
BYTES = {"16": 2, "32": 4, "64": 8}
PARAMETER = "arguments"
"""Name of a kernel's parameter, a struct, in C++; its address in the space of parameters is 0."""
# Rounding that does not matter to the comparison, caching, and the like.
MODIFIERS = {"rn", "ftz", "approx", "full", "cg", "ca", "nc", "uni", "volatile", "relaxed", "gpu"}
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/", "rem": "%", "and": "&", "or": "|", "xor": "^"}
FUNCTIONS = {"ex2": "exp2", "lg2": "log2", "sqrt": "std::sqrt"}

PRELUDE = """\
// The source itself, for its types and sizes.
#define cbow_ns cbow_ns_of_source
#define skipgram_ns skipgram_ns_of_source
#define cbow_hs cbow_hs_of_source
#define skipgram_hs skipgram_hs_of_source
#include "{source}"
#undef cbow_ns
#undef skipgram_ns
#undef cbow_hs
#undef skipgram_hs
#include <map>

template <typename To, typename From> static To as(From x) {{
  if constexpr (std::is_floating_point_v<To> == std::is_floating_point_v<From>) {{
    return (To)x;
  }} else {{
    static_assert(sizeof(To) == sizeof(From), "bits of a number of another size");
    To result;
    memcpy(&result, &x, sizeof result);
    return result;
  }}
}}

static char *aligned(char *address, size_t bytes) {{
  if ((size_t)address % bytes) abort();  // a fault on the hardware
  return address;
}}
static char *in_param(const Arguments &arguments, Bits offset, size_t bytes) {{
  if (offset + bytes > sizeof arguments) abort();
  return aligned((char *)&arguments + offset, bytes);
}}
static char *in_global(Bits address, size_t bytes) {{ return aligned((char *)address, bytes); }}
static char *in_shared(Bits address, size_t bytes) {{
  return aligned((char *)current->home->memory.data() + (unsigned)address, bytes);
}}

struct Copy {{
  char *to;
  const char *from;
  int bytes;
}};
static std::map<Thread *, std::vector<Copy>> copies;  // issued, and made when they are waited for
static void wait_for_copies() {{
  for (Copy copy : copies[current]) memcpy(copy.to, copy.from, copy.bytes);
  copies[current].clear();
}}

static float fma_down(float x, float y, float z) {{
  double exact = (double)x * y + z;
  float near = (float)exact;
  return near > exact ? nextafterf(near, -INFINITY) : near;
}}

static double approximate_reciprocal(double x) {{  // to as many bits as the hardware computes
  return as<double>(as<Bits>(1 / x) >> 32 << 32);
}}

static void all_lanes(unsigned mask, unsigned last = 31) {{
  if (mask != ~0u || last != 31) abort();
}}
"""


def to_cpp(ptx: str, source: str) -> str:
    """Return C++ that defines the kernels of `ptx`, compiled from the file `source`."""
    text = re.sub(r"//.*", "", ptx)
    parts = [PRELUDE.format(source=source)]
    for name, parameters, body in re.findall(
        r"\.entry (\w+)\((.*?)\)\s*\.maxntid[ \d,]+\s*\.minnctapersm \d+\s*\{(.*?)^\}", text, re.DOTALL | re.MULTILINE
    ):
        parameter = re.fullmatch(r"\s*\.param \.align 8 \.b8 (\w+)\[(\d+)\]\s*", parameters)
        if parameter is None:
            raise NotImplementedError(f"parameters of {name} other than one struct: {parameters}")
        parts.append(f'static_assert(sizeof(Arguments) == {parameter[2]}, "size of the parameter");')
        parts.append(f'extern "C" void {name}(const Arguments {PARAMETER}) {{')
        parts += ["  " + line for line in _function(body.replace(parameter[1], PARAMETER))]
        parts.append("}\n")
    return "\n".join(parts)


def _function(body: str) -> Iterator[str]:
    for kind, prefix, count in re.findall(r"\.reg \.(\w+)\s+%(\w+)<(\d+)>;", body):
        yield f"{C_TYPES[kind]} {', '.join(f'{prefix}{i} = 0' for i in range(int(count)))};"
    for kind, name in sorted(set(re.findall(r"\.reg \.(\w+)\s+%?(\w+);", body))):  # local to instructions in braces
        yield f"{C_TYPES[kind]} {name} = 0;"
    for statement in re.sub(r"\.reg [^;]*;", "", body).split(";"):
        *labels, instruction = re.split(r":\s", statement.lstrip("{} \t\n"))
        for label in labels:
            yield f"{_label(label)}:;"
        if instruction.strip():
            yield _statement(" ".join(instruction.split()))


def _statement(text: str) -> str:
    condition = re.match(r"@(!?)%(\w+) ", text)
    name, _, rest = text[condition.end() if condition else 0 :].partition(" ")
    operands = re.findall(r"\{[^}]*\}|\[[^]]*\]|[^,\s][^,]*", rest)
    try:
        action = _action(name.split("."), [operand.strip() for operand in operands])
    except (KeyError, ValueError, IndexError) as error:
        raise NotImplementedError(f"unknown PTX: {text}") from error
    return f"if ({condition[1]}{condition[2]}) {{ {action} }}" if condition else action


def _action(name: list[str], operands: list[str]) -> str:
    """Return the C++ of an instruction, given the parts of its name and its operands."""
    operation, kind = name[0], name[-1]
    options = [part for part in name[1:-1] if part not in MODIFIERS]
    match operation, operands:
        case "", [_] if name[1] == "pragma":
            return ""
        case "ret", []:
            return "return;"
        case "bra", [label]:
            return f"goto {_label(label)};"
        case "bar", ["0"] if name == ["bar", "sync"]:
            return "__syncthreads();"
        case "bar", [mask] if name == ["bar", "warp", "sync"]:
            return f"all_lanes({_value(mask, 'u32')}); __syncwarp();"
        case "vote", [to, voted, mask] if options == ["sync", "ballot"]:
            ballot = f"__ballot_sync(FULL_MASK, {_value(voted, 'pred')})"
            return f"all_lanes({_value(mask, 'u32')}); {_set(to, kind, ballot)}"
        case "shfl", [to, value, lanes, last, mask] if options in (["sync", "bfly"], ["sync", "idx"]):
            to, _, valid = to.partition("|")
            was = f"{valid[1:]} = true; " if valid else ""
            name = "__shfl_sync" if "idx" in options else "__shfl_xor_sync"
            shuffled = f"{name}(FULL_MASK, {_value(value, kind)}, {_value(lanes, 's32')})"
            return f"all_lanes({_value(mask, 'u32')}, {_value(last, 'u32')}); {was}{_set(to, kind, shuffled)}"
        case "mma", [to, a, b, c] if ".".join(name[1:]) == "sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":
            results, given = _list(to), [_value(one, "b32") for one in _list(a) + _list(b)]
            sums = ", ".join(_value(one, "f32") for one in _list(c))
            back = " ".join(_set(one, "f32", f"sums[{i}]") for i, one in enumerate(results))
            return f"{{ float sums[4] = {{{sums}}}; mma(sums, {', '.join(given)}); {back} }}"
        case "prefetch", [_]:
            return ""
        case "cp", [] if name == ["cp", "async", "wait_all"]:
            return "wait_for_copies();"
        case "cp", [to, start, ("4" | "16") as size] if name[1] == "async" and name[3:] == ["shared", "global"]:
            ends = _at(to, "shared", int(size)), _at(start, "global", int(size))
            return f"copies[current].push_back({{{', '.join(ends)}, {size}}});"
        case "ld", [to, address]:
            elements = _elements(address, options, kind, len(_list(to)))
            return " ".join(_set(one, kind, element) for one, element in zip(_list(to), elements, strict=True))
        case "st", [address, value]:
            elements = _elements(address, options, kind, len(_list(value)))
            pairs = zip(_list(value), elements, strict=True)
            return " ".join(f"{element} = {_value(one, kind)};" for one, element in pairs)
        case "atom", [to, address, value] if "add" in options:
            options.remove("add")
            elements = _elements(address, options, kind, len(_list(value)))
            triples = zip(_list(to), _list(value), elements, strict=True)
            return " ".join(_set(t, kind, f"atomicAdd(&{element}, {_value(v, kind)})") for t, v, element in triples)
        case "mov", [to, value] if "{" in to:
            half = {"b32": "b16", "b64": "b32"}[kind]
            low, high = _list(to)
            raw, bits = _value(value, kind), 8 * BYTES[half[1:]]
            both = (_set(one, half, f"{raw} >> {shift}") for one, shift in ((low, 0), (high, bits)) if one != "_")
            return " ".join(both)
        case "mov", [to, value] if "{" in value:
            half = {"b32": "b16", "b64": "b32"}[kind]
            low, high = (f"({C_TYPES[kind]}){_value(one, half)}" for one in _list(value))
            return _set(to, kind, f"{high} << {8 * BYTES[half[1:]]} | {low}")
        case "rcp", [to, value] if "approx" in name and kind == "f64":
            return _set(to, kind, f"approximate_reciprocal({_value(value, kind)})")
        case "cvta", [to, value] if options == ["to", "global"]:
            return _set(to, kind, _value(value, kind))
        case "cvt", [to, value] if name == ["cvt", "rna", "tf32", "f32"]:
            return _set(to, "b32", f"to_tf32({_value(value, 'f32')})")
        case "cvt", [to, value] if kind == "s8":  # the lowest byte of a register
            return _set(to, name[-2], f"(signed char){_value(value, 'u32')}")
        case "cvt", [to, value]:
            return _set(to, name[-2], _converted(_value(value, kind), kind, name[-2], options[:-1]))
        case "setp", [to, a, b]:
            return f"{to[1:]} = {_compared(options, _value(a, kind), _value(b, kind))};"
        case "selp", [to, a, b, which]:
            return _set(to, kind, f"{_value(which, 'pred')} ? {_value(a, kind)} : {_value(b, kind)}")
        case _, [to, *values]:
            result = WIDER[kind] if "wide" in options else kind
            return _set(to, result, _computed(operation, options, kind, values))
    raise ValueError(operation)


def _computed(operation: str, options: list[str], kind: str, operands: list[str]) -> str:
    """Return the C++ of an arithmetic instruction."""
    real = kind[0] == "f"
    if operation in ("shl", "shr") and not options:  # a shift by more than the width clears all bits
        x, by, bits = _value(operands[0], kind), _value(operands[1], "u32"), int(kind[1:])
        if kind[0] == "s":
            return f"{x} >> ({by} < {bits} ? {by} : {bits - 1})"
        return f"({by} < {bits} ? {x} {'<<' if operation == 'shl' else '>>'} {by} : 0)"
    # Integers wrap around: unsigned ones may in C++.
    wraps = not real and kind != "pred" and operation in ("add", "sub", "mul", "mad", "neg") and "hi" not in options
    values = [_value(operand, "u" + kind[1:] if wraps and "wide" not in options else kind) for operand in operands]
    match operation, options, values:
        case "mov", [], [x]:
            return x
        case "mul" | "mad", ["wide"], [x, y, *more]:
            wide = WIDER[kind]
            return " + ".join([f"({C_TYPES[wide]}){x} * {y}", *(_value(operands[2], wide) for _ in more)])
        case "mul", ["hi"], [x, y]:
            return f"({'' if kind[0] == 's' else 'unsigned '}__int128){x} * {y} >> {kind[1:]}"
        case "mad", ["lo"], [x, y, z]:
            return f"{x} * {y} + {z}"
        case "mul", ["lo"], [x, y]:
            return f"{x} * {y}"
        case "fma", [], [x, y, z]:
            return f"std::fma({x}, {y}, {z})"
        case "fma", ["rm"], [x, y, z] if kind == "f32":
            return f"fma_down({x}, {y}, {z})"
        case "min" | "max", [], [x, y]:
            return f"std::f{operation}({x}, {y})" if real else f"std::{operation}({x}, {y})"
        case "abs", [], [x]:
            return f"std::abs({x})"
        case "neg", [], [x]:
            return f"-{x}"
        case "not", [], [x]:
            return f"!{x}" if kind == "pred" else f"~{x}"
        case "popc", [], [x]:
            return f"__builtin_popcount({x})"
        case "bfi", [], [x, into, start, length]:  # the bits of one number replace some of another
            mask = f"({C_TYPES[kind]})(((1ull << ({length})) - 1) << ({start}))"
            return f"({into} & ~{mask}) | ({x} << ({start}) & {mask})"
        case "rcp", [], [x]:
            return f"1 / {x}"
        case _, [], [x] if real and operation in FUNCTIONS:
            return f"{FUNCTIONS[operation]}({x})"
        case _, [], [x, y]:
            return f"{x} {BINARY[operation]} {y}"
    raise ValueError(operation)


def _compared(options: list[str], a: str, b: str) -> str:
    (how,) = options
    if how in COMPARISONS:
        return f"{a} {COMPARISONS[how]} {b}"
    opposite = {"equ": "!=", "neu": "==", "ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}  # true of NaN
    return f"!({a} {opposite[how]} {b})"


def _converted(value: str, kind: str, to: str, options: list[str]) -> str:
    """Return a value of `kind` as C++ of type `to`."""
    if options == ["sat"] and to == kind == "f32":
        return f"std::fmin(std::fmax({value}, 0.0f), 1.0f)"
    if options and not (options == ["rzi"] and kind[0] == "f" and to[0] != "f"):
        raise ValueError(options)
    return f"({C_TYPES[to]}){value}"


def _set(register: str, kind: str, value: str) -> str:
    name = register[1:] if register[0] == "%" else register
    return f"{name} = as<decltype({name})>(({C_TYPES[kind]})({value}));"


def _value(operand: str, kind: str) -> str:
    """Return an operand as a C++ expression of a type."""
    wanted = C_TYPES[kind]
    if operand in ("%tid.x", "%ctaid.x"):
        return "(unsigned)" + {"%tid.x": "threadIdx.x", "%ctaid.x": "blockIdx.x"}[operand]
    if operand[0] == "%":
        return f"as<{wanted}>({operand[1:]})"
    if operand in ("memory", PARAMETER):
        return f"({wanted})0"  # the address where shared memory, or the parameter, begins
    if hexadecimal := re.fullmatch(r"0([fd])([0-9A-F]+)", operand):
        return f"as<{wanted}>(0x{hexadecimal[2]}{'u' if hexadecimal[1] == 'f' else 'ull'})"
    return f"({wanted})({int(operand)}{'ll' if abs(int(operand)) < 1 << 63 else ''})"


def _list(operand: str) -> list[str]:
    return [one.strip() for one in operand.strip("{}").split(",")]


def _elements(address: str, options: list[str], kind: str, count: int) -> list[str]:
    """Return the numbers that a load, store or atomic addition accesses, as C++."""
    space, *vector = options
    if vector != ([f"v{count}"] if count > 1 else []):
        raise ValueError(options)
    at = _at(address, space, BYTES[kind[1:]] * count)
    return [f"(({C_TYPES[kind]} *){at})[{i}]" for i in range(count)]


def _at(address: str, space: str, bytes: int) -> str:
    base, _, offset = address.strip("[]").partition("+")
    accessors = {"global": "in_global(", "shared": "in_shared(", "param": f"in_param({PARAMETER}, "}
    return f"{accessors[space]}{_value(base, 'b64')} + {int(offset or 0)}, {bytes})"


def _label(name: str) -> str:
    return name.strip().replace("$", "")
