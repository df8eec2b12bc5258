// The end of a source for the emulator that begins with fastw2v/backend.cu: its kernels, called by their names.
//
// The emulator passes an `Arguments` to a kernel. Here, it has the name and the arguments of the kernel to call.

#include <utility>

struct Arguments {
  char name[32];
  long long blocks;
  long long values[10];  // addresses, integers, and the bits of numbers of type double
};

template <typename... T, size_t... I>
static void call(void (*kernel)(T...), const Arguments &arguments, std::index_sequence<I...>) {
  auto value = [&](auto zero, int i) {
    memcpy(&zero, &arguments.values[i], sizeof zero);
    return zero;
  };
  kernel(value(T(), I)...);
}

template <typename... T> static bool call_if(const char *name, void (*kernel)(T...), const Arguments &arguments) {
  if (strcmp(name, arguments.name)) return false;
  call(kernel, arguments, std::index_sequence_for<T...>());
  return true;
}

#define CALL_IF(kernel) call_if(#kernel, kernel, arguments)

static void cbow_ns(const Arguments &arguments) {
  grid_dimension.x = (unsigned)arguments.blocks;
  if (!(CALL_IF(take_rows) || CALL_IF(set_rows) || CALL_IF(add_rows) || CALL_IF(weighted_sums) || CALL_IF(row_dots) ||
        CALL_IF(mark_rows) || CALL_IF(number_rows) || CALL_IF(subtract_rows) || CALL_IF(cross_entropy) ||
        CALL_IF(context_weights) || CALL_IF(count_rows) || CALL_IF(pool_weights)))
    abort();
}

static void skipgram_ns(const Arguments &) {}
