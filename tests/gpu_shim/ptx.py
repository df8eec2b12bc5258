"""PTX, the portable assembly that NVIDIA's compiler makes of the CUDA source, as C++ for the shim to run.

What the shim runs otherwise is the source as a C++ compiler reads it. So the other half is seen, too: what NVIDIA's
compiler made of it, with its inline assembly, vector loads, and copies that only arrive when they are waited for.
An instruction that is not known here, or an address that is not aligned as the hardware wants it, is an error.
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
# How arithmetic is rounded where it makes no difference to what is compared, how it is cached, and the like.
MODIFIERS = {"rn", "ftz", "approx", "full", "cg", "ca", "nc", "uni", "volatile", "relaxed", "gpu"}
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/", "rem": "%", "and": "&", "or": "|", "xor": "^"}
FUNCTIONS = {"ex2": "exp2", "lg2": "log2", "sqrt": "std::sqrt"}

PRELUDE = """\
// The source itself, for its types, sizes and parameters.
#define cbow_ns cbow_ns_of_source
#define skipgram_ns skipgram_ns_of_source
#include "{source}"
#undef cbow_ns
#undef skipgram_ns
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

struct Parameter {{
  Bits raw = 0;
  template <typename T> Parameter(T x) {{ memcpy(&raw, &x, sizeof x); }}
  template <typename T> T get() const {{
    T x;
    memcpy(&x, &raw, sizeof x);
    return x;
  }}
}};

static char *aligned(char *address, size_t bytes) {{
  if ((size_t)address % bytes) abort();  // the hardware would stop
  return address;
}}
static char *in_global(Bits address, size_t bytes) {{ return aligned((char *)address, bytes); }}
static char *in_shared(Bits address, size_t bytes) {{
  return aligned((char *)current->home->memory.data() + (unsigned)address, bytes);
}}

struct Copy {{
  char *to;
  const char *from;
}};
static std::map<Thread *, std::vector<Copy>> copies;  // that have been asked for, and come when they are waited for
static void wait_for_copies() {{
  for (Copy copy : copies[current]) memcpy(copy.to, copy.from, 16);
  copies[current].clear();
}}

static float fma_down(float x, float y, float z) {{
  double exact = (double)x * y + z;
  float near = (float)exact;
  return near > exact ? nextafterf(near, -INFINITY) : near;
}}

static double roughly_inverse(double x) {{  // to as many bits as the hardware computes
  return as<double>(as<Bits>(1 / x) >> 32 << 32);
}}

static void all_lanes(unsigned mask, unsigned last = 31) {{
  if (mask != ~0u || last != 31) abort();
}}
"""


def to_cpp(ptx: str, source: str) -> str:
    """Return C++ that defines the kernels of `ptx`, which was compiled from the file `source`."""
    text = re.sub(r"//.*", "", ptx)
    parts = [PRELUDE.format(source=source)]
    for name, parameters, body in re.findall(
        r"\.entry (\w+)\((.*?)\)\s*\.maxntid[ \d,]+\s*\{(.*?)^\}", text, re.DOTALL | re.MULTILINE
    ):
        names = [parameter.split()[-1] for parameter in parameters.split(",")]
        parts.append(f"static void {name}_of_ptx({', '.join(f'Parameter {parameter}' for parameter in names)}) {{")
        parts += ["  " + line for line in _function(body)]
        parts.append(f'}}\nextern "C" void {name}(PARAMETERS) {{ {name}_of_ptx(ARGUMENTS); }}\n')
    return "\n".join(parts)


def _function(body: str) -> Iterator[str]:
    for kind, prefix, count in re.findall(r"\.reg \.(\w+)\s+%(\w+)<(\d+)>;", body):
        yield f"{C_TYPES[kind]} {', '.join(f'{prefix}{i} = 0' for i in range(int(count)))};"
    for kind, name in sorted(set(re.findall(r"\.reg \.(\w+)\s+%?(\w+);", body))):  # of a few instructions in braces
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
        raise NotImplementedError(f"PTX that is not known here: {text}") from error
    return f"if ({condition[1]}{condition[2]}) {{ {action} }}" if condition else action


def _action(name: list[str], operands: list[str]) -> str:
    """Return the C++ of an instruction, by its name's parts and its operands."""
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
            ballot = f"__ballot_sync(ALL, {_value(voted, 'pred')})"
            return f"all_lanes({_value(mask, 'u32')}); {_set(to, kind, ballot)}"
        case "shfl", [to, value, lanes, last, mask] if options == ["sync", "bfly"]:
            to, _, valid = to.partition("|")
            was = f"{valid[1:]} = true; " if valid else ""
            shuffled = f"__shfl_xor_sync(ALL, {_value(value, kind)}, {_value(lanes, 's32')})"
            return f"all_lanes({_value(mask, 'u32')}, {_value(last, 'u32')}); {was}{_set(to, kind, shuffled)}"
        case "prefetch", [_]:
            return ""
        case "cp", [] if name == ["cp", "async", "wait_all"]:
            return "wait_for_copies();"
        case "cp", [to, start, "16"] if name == ["cp", "async", "cg", "shared", "global"]:
            return f"copies[current].push_back({{{_at(to, 'shared', 16)}, {_at(start, 'global', 16)}}});"
        case "ld", [to, address] if options == ["param"]:
            return _set(to, kind, f"{address.strip('[]')}.get<{C_TYPES[kind]}>()")
        case "ld", [to, address]:
            places = _places(address, options, kind, len(_list(to)))
            return " ".join(_set(one, kind, place) for one, place in zip(_list(to), places, strict=True))
        case "st", [address, value]:
            places = _places(address, options, kind, len(_list(value)))
            pairs = zip(_list(value), places, strict=True)
            return " ".join(f"{place} = {_value(one, kind)};" for one, place in pairs)
        case "atom", [to, address, value] if "add" in options:
            options.remove("add")
            places = _places(address, options, kind, len(_list(value)))
            triples = zip(_list(to), _list(value), places, strict=True)
            return " ".join(_set(t, kind, f"atomicAdd(&{place}, {_value(v, kind)})") for t, v, place in triples)
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
            return _set(to, kind, f"roughly_inverse({_value(value, kind)})")
        case "cvta", [to, value] if options == ["to", "global"]:
            return _set(to, kind, _value(value, kind))
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
    """Return the C++ of an instruction that only computes."""
    real = kind[0] == "f"
    if operation in ("shl", "shr") and not options:  # by more than there are bits, all of them go
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
    opposite = {"equ": "!=", "neu": "==", "ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}  # true of what is no number
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
    if operand == "memory":
        return f"({wanted})0"  # shared memory begins here
    if hexadecimal := re.fullmatch(r"0([fd])([0-9A-F]+)", operand):
        return f"as<{wanted}>(0x{hexadecimal[2]}{'u' if hexadecimal[1] == 'f' else 'ull'})"
    return f"({wanted})({int(operand)}{'ll' if abs(int(operand)) < 1 << 63 else ''})"


def _list(operand: str) -> list[str]:
    return [one.strip() for one in operand.strip("{}").split(",")]


def _places(address: str, options: list[str], kind: str, count: int) -> list[str]:
    """Return the numbers that a load, store or addition reaches, as C++."""
    space, *vector = options
    if vector != ([f"v{count}"] if count > 1 else []):
        raise ValueError(options)
    at = _at(address, space, BYTES[kind[1:]] * count)
    return [f"(({C_TYPES[kind]} *){at})[{i}]" for i in range(count)]


def _at(address: str, space: str, bytes: int) -> str:
    base, _, offset = address.strip("[]").partition("+")
    value = "0" if base == "memory" else f"as<Bits>({base[1:]})"
    return f"{ {'global': 'in_global', 'shared': 'in_shared'}[space] }({value} + {int(offset or 0)}, {bytes})"


def _label(name: str) -> str:
    return name.strip().replace("$", "")
